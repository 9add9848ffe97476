/** What is told of the health of servers: between processes, to the log, to whoever asks. Plain data only. */
import type { ConnectionCounts } from '../transports/backend/tally.ts'
import type { Order, Verdict } from './cells.ts'

/** What was found out about a server, and outlives a generation. */
export interface Finding {
  readonly verdict: Verdict
  /** Since when, ms since 1970. */
  readonly since: number
  /** Of the last verdict; '' for well. */
  readonly why: string
  /** As its check says; -1: as the site file does. */
  readonly weight: number
}

/** A verdict has changed, or a weight. */
export interface HealthReport extends Finding {
  readonly pool: string
  readonly server: string
  /** Of the check: `http /healthz`. */
  readonly check: string
  /** Answers in a row that it took. */
  readonly answers: number
  /** How long these took together, ms. */
  readonly tookMs: number
}

/** What a server process is given to begin with. */
export interface HealthBefore {
  /** By `keyOf`; `same`: it was found by the check that the server still has. */
  readonly findings: Readonly<Record<string, Finding & { readonly same: boolean }>>
  readonly orders: Readonly<Record<string, Order>>
}

export const nothingBefore: HealthBefore = { findings: {}, orders: {} }

/** One server in its pool. */
export function keyOf(pool: string, server: string): string {
  return JSON.stringify([pool, server])
}

export interface ServerHealth extends Finding {
  readonly server: string
  readonly order: Order
  readonly backup: boolean
  /** `down: true` in the site file. */
  readonly out: boolean
  /** The one that counts now. */
  readonly effective: number
  /** Exchanges in hand. */
  readonly active: number
  /** '' for none. */
  readonly check: string
  /** Answers and how many of them were bad. */
  readonly checks: number
  readonly failures: number
  /** How long the last answer took, ms. */
  readonly lastMs: number
  /** To it, since this server process began; absent where nobody has counted them. */
  readonly connections?: ConnectionCounts
}

export interface PoolStatus {
  readonly servers: readonly ServerHealth[]
}

/** By name. */
export type PoolStatuses = Readonly<Record<string, PoolStatus>>
