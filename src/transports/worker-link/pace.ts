/** How fast an application answers, in one thread: what `Retry-After` is made of. */

/** Nobody is sent away for longer, seconds. */
const LONGEST = 60
/** The weight of the last second. */
const SHARE = 0.3
const MEASURED_MS = 1_000

export class Pace {
  #done = 0
  /** Requests a second, smoothed; below 0: nothing is known. */
  #rate = -1
  #since = 0

  served(): void {
    this.#done++
  }

  /** Called at each tick of the clock. */
  tick(now: number): void {
    const elapsed = now - this.#since
    if (elapsed < MEASURED_MS) return
    const last = (this.#done * 1000) / elapsed
    if (this.#since === 0) this.#rate = -1
    else if (this.#rate >= 0) this.#rate += (last - this.#rate) * SHARE
    else if (last > 0) this.#rate = last
    this.#done = 0
    this.#since = now
  }

  /** Whole seconds, one at least, after which as many as wait now will have been answered. */
  secondsFor(waiting: number): number {
    if (this.#rate < 0) return 1
    return Math.min(LONGEST, Math.max(1, Math.ceil(waiting / Math.max(this.#rate, 1e-3))))
  }
}
