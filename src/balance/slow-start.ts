/** A server that came back takes a growing part of what it is offered, in all threads alike. */
import { elapsed, instant, recently } from './instant.ts'

/** Shared Int32 places that it needs. */
export const SLOW_START_CELLS = 1

/** Somebody has to go first. */
const LEAST = 0.02

export class SlowStart {
  /** When it came back, as an instant; 0: long ago. */
  readonly #since: Int32Array
  readonly #lengthMs: number

  constructor(cells: Int32Array, lengthMs: number) {
    this.#since = cells
    this.#lengthMs = lengthMs
  }

  begin(nowMs: number): void {
    Atomics.store(this.#since, 0, instant(nowMs))
  }

  /** The part that it takes now, from more than 0 to 1. */
  get share(): number {
    const since = Atomics.load(this.#since, 0)
    if (since === 0) return 1
    const passed = elapsed(since, recently())
    if (passed < this.#lengthMs) return Math.max(LEAST, passed / this.#lengthMs)
    // Else it would be read as the future after 24 days.
    Atomics.compareExchange(this.#since, 0, since, 0)
    return 1
  }
}
