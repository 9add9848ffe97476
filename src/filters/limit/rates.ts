/**
 * Requests over time: a token bucket as GCRA has it (ATM Forum TM 4.0 §4.4.2). Of each visitor one number
 * is kept: when its bucket will be full again. Each request puts that off by `intervalMs`; it must not
 * be further away than the whole bucket is long.
 *
 * A full bucket is as good as none, so entries whose time is over are used anew without loss. Where more
 * visitors than the table has places for are counted at a time, the one that is nearest to a full bucket
 * is forgotten.
 */
import { SharedTable, WAYS } from './table.ts'

export class Rates {
  readonly #table: SharedTable
  readonly #times: Float64Array<SharedArrayBuffer>
  /** From this thread's performance.now() to a clock that all threads share. */
  readonly #ahead: number

  constructor(memory: SharedArrayBuffer) {
    this.#table = new SharedTable(memory)
    this.#times = new Float64Array(memory)
    const [seconds, nanoseconds] = process.hrtime()
    this.#ahead = seconds * 1000 + nanoseconds / 1e6 - performance.now()
  }

  /**
   * Takes one request of `key`'s bucket, which holds `wholeMs`, at `now` (performance.now()). Returns how
   * far the bucket is from full then, in ms; or, where there was no room, nothing is taken and the result
   * is the time until there is, below 0.
   */
  take(key: string, now: number, intervalMs: number, wholeMs: number): number {
    const table = this.#table
    table.hash.of(key)
    const set = table.set()
    const shared = now + this.#ahead
    table.lock(set)
    const place = table.find(set) || this.#place(set)
    const at = place / 2
    const full = this.#times[at]!
    const next = Math.max(full, shared) + intervalMs
    const missing = next - shared
    // Clocks have no fractions that could add up to a refusal.
    const over = missing - wholeMs > 1e-6
    if (!over) this.#times[at] = next
    table.unlock(set)
    return over ? wholeMs - missing : missing
  }

  /** An entry for the key that was hashed last: the one whose bucket is, or will be, full first. */
  #place(set: number): number {
    const table = this.#table
    let best = table.place(set, 0)
    for (let way = 1; way < WAYS; way++) {
      const place = table.place(set, way)
      if (this.#times[place / 2]! < this.#times[best / 2]!) best = place
    }
    table.own(best)
    this.#times[best / 2] = 0
    return best
  }
}
