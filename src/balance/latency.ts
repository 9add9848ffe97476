/** How long a backend takes to begin an answer: an average that forgets, shared by threads. */

/** What is this old counts for a third, ms. */
const MEMORY_MS = 10_000
/** The unit that the average is kept in: a microsecond. */
const UNITS = 1_000
const LONGEST = 2 ** 30

/** Shared Int32 places that it needs. */
export const LATENCY_CELLS = 2

const AVERAGE = 0
const SINCE = 1

export class Latency {
  readonly #cells: Int32Array

  constructor(cells: Int32Array) {
    this.#cells = cells
  }

  /** Of the last while, ms; 0: not known. Sinks while nothing is heard, so that a slow one is tried again. */
  average(nowMs: number): number {
    const average = Atomics.load(this.#cells, AVERAGE)
    return average === 0 ? 0 : (average / UNITS) * Math.exp(-this.#age(nowMs) / MEMORY_MS)
  }

  /** Another answer took `ms` to begin. */
  learn(ms: number, nowMs: number): void {
    const cells = this.#cells
    const sample = Math.min(LONGEST, Math.max(1, Math.round(ms * UNITS)))
    for (;;) {
      const before = Atomics.load(cells, AVERAGE)
      const share = before === 0 ? 1 : 1 - Math.exp(-Math.max(1, this.#age(nowMs)) / MEMORY_MS)
      const after = Math.max(1, Math.round(before + (sample - before) * share))
      if (Atomics.compareExchange(cells, AVERAGE, before, after) !== before) continue
      Atomics.store(cells, SINCE, instant(nowMs))
      return
    }
  }

  /** Since the last answer, ms. */
  #age(nowMs: number): number {
    // In 32 bits, whatever has overflown.
    return Math.max(0, (instant(nowMs) - Atomics.load(this.#cells, SINCE)) | 0)
  }
}

/** The same for all threads, which count from different beginnings; the lower 32 bits, ms. */
function instant(nowMs: number): number {
  return Math.floor(performance.timeOrigin + nowMs) | 0
}
