/**
 * Connections to the servers of pools, opened, in vain and used again, in shared memory: each thread writes its own
 * places alone, so that a count is a plain store. Float64 holds whole numbers exactly to 2^53.
 */
import type { SitePlan } from '../../site/plan.ts'

const OPENED = 0
const REUSED = 1
const FAILED = 2
const PLACES = 3
/** Whole cache lines for each thread. */
const LINE = 8

type Plan = Pick<SitePlan, 'pools' | 'threads'>

export interface ConnectionCounts {
  /** Connections that were made. */
  readonly opened: number
  /** Those that could not be: refused, not answered in time, or without TLS where that is needed. */
  readonly failed: number
  /** Requests that went over one that was there already. */
  readonly reused: number
}

export class Tally {
  readonly #counts: Float64Array
  readonly #at: number

  constructor(counts: Float64Array, at: number) {
    this.#counts = counts
    this.#at = at
  }

  opened(): void {
    this.#counts[this.#at + OPENED]!++
  }

  failed(): void {
    this.#counts[this.#at + FAILED]!++
  }

  reused(): void {
    this.#counts[this.#at + REUSED]!++
  }
}

export function allocateTallies(plan: Plan): SharedArrayBuffer {
  return new SharedArrayBuffer(plan.threads * placesOf(plan) * Float64Array.BYTES_PER_ELEMENT)
}

/** Of one server, by its index in the pool's plan, as one thread counts it. */
export function tallyOf(
  memory: SharedArrayBuffer,
  plan: Plan,
  thread: number,
  pool: string,
  server: number,
): Tally {
  const at = thread * placesOf(plan) + (firstOf(plan, pool) + server) * PLACES
  return new Tally(new Float64Array(memory), at)
}

/** Of one server, over all threads. */
export function readTally(
  memory: SharedArrayBuffer,
  plan: Plan,
  pool: string,
  server: number,
): ConnectionCounts {
  const counts = new Float64Array(memory)
  const first = (firstOf(plan, pool) + server) * PLACES
  let opened = 0
  let failed = 0
  let reused = 0
  for (let at = first; at < counts.length; at += placesOf(plan)) {
    opened += counts[at + OPENED]!
    failed += counts[at + FAILED]!
    reused += counts[at + REUSED]!
  }
  return { opened, failed, reused }
}

/** Of one thread. */
function placesOf({ pools }: Plan): number {
  const servers = Object.values(pools).reduce((sum, pool) => sum + pool.servers.length, 0)
  return Math.ceil((servers * PLACES) / LINE) * LINE
}

/** Servers of the pools before that one. */
function firstOf({ pools }: Plan, name: string): number {
  let first = 0
  for (const pool of Object.values(pools)) {
    if (pool.name === name) break
    first += pool.servers.length
  }
  return first
}
