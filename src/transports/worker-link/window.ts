/**
 * How many requests may be in one worker's hands at once. One, unless the application is so fast that
 * about WORK_US of it fit; and never so many that one slow request could hold up a share of the others
 * worth seeing: each slow one closes the window, and it opens by one for STEP fast ones, so that no
 * more than about 1 in STEP requests ever stands behind a slow one.
 */

/** Work that may wait in one worker's hands, µs. */
const WORK_US = 1_000
/** A request that took this long is slow, µs. */
const SLOW_US = 5_000
/** Fast requests for which the window opens by one. */
const STEP = 250
const MOST = 128
/** Fast requests for which the window stays shut after one that never ended. */
const AFTER_A_HANG = 100_000

export class Window {
  /** Smoothed service time, µs; starts as if slow. */
  #mean: number = WORK_US
  #fast = 0
  size = 1

  /**
   * A request ran past its deadline. What stood behind it waited as long; an answer before it, which the
   * worker held back to send several at once, is lost with it. It may happen again.
   */
  close(): void {
    this.#fast = -AFTER_A_HANG
    this.size = 1
  }

  /** One more request was served, in `us` microseconds. */
  served(us: number): void {
    this.#mean += (us - this.#mean) / 32
    if (us >= SLOW_US) this.#fast = Math.min(this.#fast, 0)
    else this.#fast++
    const fitting = WORK_US / Math.max(1, this.#mean)
    this.size = Math.max(1, Math.floor(Math.min(fitting, this.#fast / STEP, MOST)))
  }
}
