/**
 * Jobs in one file of SQLite: the statements, without a clock or a thread. Each method is one step of a
 * transaction that the caller (batch.ts) begins and commits.
 */
import {
  DatabaseSync,
  type SQLInputValue,
  type SQLOutputValue,
  type StatementSync,
} from 'node:sqlite'
import {
  type Held,
  type Job,
  JobError,
  type JobFacts,
  type Lease,
  type Leased,
  type LivingState,
  type Outcome,
  type QueueFacts,
  type Which,
} from '../engine.ts'
import { factsOf, jobOf, type Row, SCHEMA, SCHEMA_VERSION, State } from './schema.ts'

/** Another process may just be ending, ms. */
const BUSY_MS = 2_000
const PAGE_BYTES = 4096
/** Results that are forgotten in one step, so that no step takes long. */
const MOST_FORGOTTEN = 1000
/** A receipt that no settle ever brings. */
const NOBODY = ''

const COLUMNS =
  'id, queue, name, payload, priority, putAt, dueAt, attempts, maxAttempts, backoffMs, deadlineMs, keepMs, key'

type Values = readonly SQLInputValue[]

/** Sizes are bytes; `largest` 0: no bound but the disk's. */
export class Store {
  readonly #db: DatabaseSync
  readonly #path: string
  readonly #largest: number
  readonly #statements = new Map<string, StatementSync>()

  /** Jobs that were in hand when the file was last closed, or its process killed, wait again. */
  constructor(path: string, largest: number) {
    const db = new DatabaseSync(path, { timeout: BUSY_MS })
    this.#db = db
    // One process at a time: whoever comes second learns it here, not by corrupt counts.
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    this.#path = path
    this.#largest = largest === 0 ? Number.POSITIVE_INFINITY : largest
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
    if (version > SCHEMA_VERSION) {
      throw new JobError('BROKEN', `${path} was written by a newer version of Portico`)
    }
    db.exec('BEGIN IMMEDIATE')
    if (version === 0) db.exec(`${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}`)
    // Of files that were written before it was thought of, too.
    db.exec(`CREATE INDEX IF NOT EXISTS held ON jobs (queue) WHERE state = ${State.HELD}`)
    // Their receipts stay: a worker that outlived us may still say what became of its job.
    db.exec(`UPDATE jobs SET state = ${State.READY} WHERE state = ${State.HELD}`)
    db.exec('COMMIT')
  }

  /** Whether a commit waits until the disk has it. Without, a crash of the machine undoes the last ones. */
  durable(yes: boolean): void {
    this.#db.exec(`PRAGMA synchronous = ${yes ? 'FULL' : 'NORMAL'}`)
  }

  /** All that `steps` does, or nothing of it. */
  transaction<Result>(steps: () => Result): Result {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = steps()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      // SQLite has rolled back already after some failures, such as a full disk.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  put(job: Job, now: number): string {
    if (this.#row('SELECT 1 FROM jobs WHERE id = ?', job.id) !== undefined) return job.id
    if (this.#row('SELECT 1 FROM ended WHERE id = ?', job.id) !== undefined) return job.id
    if (job.key !== '') {
      const same = this.#row('SELECT id FROM jobs WHERE queue = ? AND key = ?', job.queue, job.key)
      if (same !== undefined) return String(same.id)
    }
    // Not the database's own bound: what is kept must still be leased and settled, which needs room, too.
    if (this.#used() + job.payload.length > this.#largest) {
      throw new JobError('FULL', `no room for jobs in ${this.#path}: raise jobs.size`)
    }
    const state = job.dueAt > now ? State.LATER : State.READY
    this.#do(
      `INSERT INTO jobs (${COLUMNS}, state, receipt, error, endedAt)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', 0)`,
      ...[job.id, job.queue, job.name, job.payload, job.priority, job.putAt, job.dueAt],
      ...[job.attempts, job.maxAttempts, job.backoffMs, job.deadlineMs, job.keepMs],
      ...[job.key === '' ? null : job.key, state],
    )
    return job.id
  }

  /** Bytes of the file that hold something. */
  #used(): number {
    const { page_count: pages } = this.#row('PRAGMA page_count')!
    const { freelist_count: free } = this.#row('PRAGMA freelist_count')!
    return (Number(pages) - Number(free)) * PAGE_BYTES
  }

  lease(queue: string, most: number, receipt: string, now: number): Leased {
    this.#do('UPDATE jobs SET state = 0 WHERE state = 1 AND dueAt <= ?', now)
    const rows = this.#rows(
      `SELECT seq, ${COLUMNS} FROM jobs WHERE state = 0 AND queue = ? ORDER BY priority DESC, seq LIMIT ?`,
      queue,
      most,
    )
    const held = rows.map((row, index): Held => {
      const mine = `${receipt}.${index}`
      this.#do(
        'UPDATE jobs SET state = 2, attempts = attempts + 1, key = NULL, receipt = ? WHERE seq = ?',
        mine,
        row.seq ?? null,
      )
      const job = jobOf(row)
      return { id: job.id, job: { ...job, attempts: job.attempts + 1 }, receipt: mine }
    })
    const next = this.#row('SELECT min(dueAt) AS at FROM jobs WHERE state = 1 AND queue = ?', queue)
    return { held, askAt: Number(next?.at ?? 0) }
  }

  settle({ id, receipt }: Lease, outcome: Outcome, now: number): boolean {
    const mine = 'WHERE id = ? AND receipt = ? AND state IN (0, 2)'
    if (outcome.kind === 'done') {
      const row = this.#row(`SELECT ${COLUMNS} FROM jobs ${mine}`, id, receipt)
      if (row === undefined) return false
      this.#do('DELETE FROM jobs WHERE id = ?', id)
      this.note(jobOf(row), 'done', outcome.result, now)
      return true
    }
    if (outcome.kind === 'dead') {
      const { changes } = this.#do(
        `UPDATE jobs SET state = 3, receipt = '${NOBODY}', error = ?, endedAt = ? ${mine}`,
        ...[outcome.error, now, id, receipt],
      )
      return changes > 0
    }
    const back = outcome.givenBack ? 1 : 0
    const { changes } = this.#do(
      `UPDATE jobs SET state = ?, receipt = '${NOBODY}', error = ?, dueAt = ?,
         attempts = max(0, attempts - ${back}) ${mine}`,
      ...[outcome.dueAt > now ? State.LATER : State.READY, outcome.error, outcome.dueAt],
      ...[id, receipt],
    )
    return changes > 0
  }

  /** Takes down how a job has ended, for as long as it wants to be remembered; without its result when there is no room. */
  note(job: Job, state: 'done' | 'cancelled', result: Uint8Array | null, now: number): void {
    if (job.keepMs === 0) return
    const room = this.#used() + (result?.length ?? 0) <= this.#largest
    this.#do(
      `INSERT OR REPLACE INTO ended (id, queue, name, state, priority, attempts, maxAttempts, putAt, dueAt,
         endedAt, result, expiresAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[job.id, job.queue, job.name, state, job.priority, job.attempts, job.maxAttempts],
      ...[job.putAt, job.dueAt, now, room ? result : null, now + job.keepMs],
    )
  }

  find(id: string, now: number): JobFacts | null {
    const row =
      this.#row('SELECT * FROM jobs WHERE id = ?', id) ??
      this.#row('SELECT * FROM ended WHERE id = ? AND expiresAt > ?', id, now)
    return row === undefined ? null : factsOf(row)
  }

  cancel(id: string, now: number): boolean {
    const row = this.#row(`SELECT ${COLUMNS} FROM jobs WHERE id = ? AND state IN (0, 1)`, id)
    if (row === undefined) return false
    this.#do('DELETE FROM jobs WHERE id = ?', id)
    this.note(jobOf(row), 'cancelled', null, now)
    return true
  }

  /** Each count is read from an index alone: a million jobs take some ten ms. */
  queues(now: number): readonly QueueFacts[] {
    const count = (what: string, state: number, ...values: Values): Map<string, Row> => {
      const sql = `SELECT queue, count(*) AS jobs${what} FROM jobs WHERE state = ${state} GROUP BY queue`
      return new Map(this.#rows(sql, ...values).map((row) => [String(row.queue), row]))
    }
    const due = 'CASE WHEN dueAt <= ? THEN seq END'
    const ready = count(', min(seq) AS first', State.READY)
    const later = count(`, count(${due}) AS due, min(${due}) AS first`, State.LATER, now, now)
    const held = count('', State.HELD)
    const dead = count('', State.DEAD)
    const queues = [ready, later, held, dead].flatMap((counts) => [...counts.keys()])
    return [...new Set(queues)].sort().map((queue): QueueFacts => {
      const jobs = (counts: Map<string, Row>): number => Number(counts.get(queue)?.jobs ?? 0)
      const dueNow = Number(later.get(queue)?.due ?? 0)
      const firsts = [ready, later].flatMap((counts) => Number(counts.get(queue)?.first ?? 0) || [])
      return {
        queue,
        waiting: jobs(ready) + dueNow,
        delayed: jobs(later) - dueNow,
        running: jobs(held),
        dead: jobs(dead),
        oldestAt: firsts.length === 0 ? 0 : this.#putAt(Math.min(...firsts)),
      }
    })
  }

  #putAt(seq: number): number {
    return Number(this.#row('SELECT putAt FROM jobs WHERE seq = ?', seq)?.putAt ?? 0)
  }

  list(queue: string, state: LivingState, most: number): readonly JobFacts[] {
    const number = ['waiting', 'delayed', 'running', 'dead'].indexOf(state)
    return this.#rows(
      'SELECT * FROM jobs WHERE queue = ? AND state = ? ORDER BY seq LIMIT ?',
      ...[queue, number, most],
    ).map(factsOf)
  }

  revive(which: Which): number {
    const [column, value] = columnOf(which)
    const { changes } = this.#do(
      `UPDATE jobs SET state = 0, attempts = 0, endedAt = 0 WHERE state = 3 AND ${column} = ?`,
      value,
    )
    return Number(changes)
  }

  drop(which: Which): number {
    const [column, value] = columnOf(which)
    return Number(this.#do(`DELETE FROM jobs WHERE state = 3 AND ${column} = ?`, value).changes)
  }

  /** Forgets results whose time is over; true: there may be more of them. */
  forget(now: number): boolean {
    const { changes } = this.#do(
      'DELETE FROM ended WHERE rowid IN (SELECT rowid FROM ended WHERE expiresAt <= ? LIMIT ?)',
      now,
      MOST_FORGOTTEN,
    )
    return changes === MOST_FORGOTTEN
  }

  close(): void {
    this.#db.close()
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  #do(sql: string, ...values: Values): { changes: number | bigint } {
    return this.#prepared(sql).run(...values)
  }

  #row(sql: string, ...values: Values): Record<string, SQLOutputValue> | undefined {
    return this.#prepared(sql).get(...values)
  }

  #rows(sql: string, ...values: Values): Record<string, SQLOutputValue>[] {
    return this.#prepared(sql).all(...values)
  }
}

function columnOf(which: Which): ['id' | 'queue', string] {
  return 'id' in which ? ['id', which.id] : ['queue', which.queue]
}
