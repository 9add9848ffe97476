/** The tables of the local store, and how a row becomes a job. */
import type { Job, JobFacts, JobState } from '../engine.ts'

/** Of `PRAGMA user_version`. */
export const SCHEMA_VERSION = 1

/** `jobs.state`. */
export const State = { READY: 0, LATER: 1, HELD: 2, DEAD: 3 } as const

/**
 * Partial indexes: each names exactly the jobs that one statement looks for, so that a million of dead
 * letters slow down nothing.
 */
export const SCHEMA = `
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL, name TEXT NOT NULL, payload BLOB NOT NULL,
    priority INTEGER NOT NULL, putAt INTEGER NOT NULL, dueAt INTEGER NOT NULL,
    attempts INTEGER NOT NULL, maxAttempts INTEGER NOT NULL,
    backoffMs INTEGER NOT NULL, deadlineMs INTEGER NOT NULL, keepMs INTEGER NOT NULL,
    key TEXT, state INTEGER NOT NULL, receipt TEXT NOT NULL, error TEXT NOT NULL, endedAt INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX ready ON jobs (queue, priority DESC, seq) WHERE state = 0;
  CREATE INDEX later ON jobs (dueAt) WHERE state = 1;
  CREATE INDEX later_of_queue ON jobs (queue, dueAt) WHERE state = 1;
  CREATE INDEX dead ON jobs (queue, seq) WHERE state = 3;
  CREATE UNIQUE INDEX waiting_key ON jobs (queue, key) WHERE key IS NOT NULL;
  CREATE TABLE ended (
    id TEXT PRIMARY KEY,
    queue TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, priority INTEGER NOT NULL,
    attempts INTEGER NOT NULL, maxAttempts INTEGER NOT NULL, putAt INTEGER NOT NULL, dueAt INTEGER NOT NULL,
    endedAt INTEGER NOT NULL, result BLOB, expiresAt INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX expiry ON ended (expiresAt);
`

export type Row = Readonly<Record<string, unknown>>

export function jobOf(row: Row): Job {
  return {
    id: String(row.id),
    queue: String(row.queue),
    name: String(row.name),
    payload: row.payload as Uint8Array,
    priority: Number(row.priority),
    putAt: Number(row.putAt),
    dueAt: Number(row.dueAt),
    attempts: Number(row.attempts),
    maxAttempts: Number(row.maxAttempts),
    backoffMs: Number(row.backoffMs),
    deadlineMs: Number(row.deadlineMs),
    keepMs: Number(row.keepMs),
    key: String(row.key ?? ''),
  }
}

/** Of a row of either table. */
export function factsOf(row: Row): JobFacts {
  const states: readonly JobState[] = ['waiting', 'delayed', 'running', 'dead']
  const lives = typeof row.state === 'number'
  return {
    id: String(row.id),
    queue: String(row.queue),
    name: String(row.name),
    state: lives ? states[Number(row.state)]! : (row.state as JobState),
    priority: Number(row.priority),
    attempts: Number(row.attempts),
    maxAttempts: Number(row.maxAttempts),
    putAt: Number(row.putAt),
    dueAt: Number(row.dueAt),
    endedAt: Number(row.endedAt),
    error: String(row.error ?? ''),
    result: (row.result as Uint8Array | null | undefined) ?? null,
    payload: (row.payload as Uint8Array | undefined) ?? null,
  }
}
