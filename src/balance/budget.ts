/**
 * How many more requests may be sent than visitors have made: a share of theirs, and a few a second whatever
 * they do. One bucket for all threads, so that retries never multiply an outage.
 */
import { instant } from './instant.ts'

/** Shared Int32 places that it needs. */
export const BUDGET_CELLS = 2

/** Saved up, in 1/1000. */
const SAVED = 0
/** The second, and how many of its free ones are spent: 24 and 8 bits. */
const FREE = 1

const WHOLE = 1_000
/** Of quiet times, no more is saved than this many. */
const MOST_SAVED = 100 * WHOLE
/** A second, where there are few visitors. */
const FREE_A_SECOND = 10

export class Budget {
  readonly #cells: Int32Array
  readonly #share: number

  constructor(cells: Int32Array, share: number) {
    this.#cells = cells
    this.#share = Math.round(share * WHOLE)
  }

  /** A visitor has made a request. */
  earn(): void {
    const cells = this.#cells
    // Others may add at the same time: a little more than the bound does no harm.
    if (Atomics.load(cells, SAVED) < MOST_SAVED) Atomics.add(cells, SAVED, this.#share)
  }

  /** False: nothing is left. */
  spend(): boolean {
    const cells = this.#cells
    for (;;) {
      const saved = Atomics.load(cells, SAVED)
      if (saved < WHOLE) return this.#share > 0 && this.#spendFree()
      if (Atomics.compareExchange(cells, SAVED, saved, saved - WHOLE) === saved) return true
    }
  }

  #spendFree(): boolean {
    const cells = this.#cells
    const second = Math.floor((instant(performance.now()) >>> 0) / 1_000) & 0xffffff
    for (;;) {
      const before = Atomics.load(cells, FREE)
      const spent = before >>> 8 === second ? before & 0xff : 0
      if (spent >= FREE_A_SECOND) return false
      const after = (second << 8) | (spent + 1)
      if (Atomics.compareExchange(cells, FREE, before, after) === before) return true
    }
  }
}
