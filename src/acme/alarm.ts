/** Waits that somebody else may end. */

/** Timers count in 31 bits; and clocks are set. */
const LONGEST_MS = 3_600_000

export class Alarm {
  #wake: () => void = () => {}
  #rung = false

  /** Ends the wait, or the next one where nobody waits now. */
  ring(): void {
    this.#rung = true
    this.#wake()
  }

  /** For `ms`, an hour at most, or until it rings or `signal` is aborted. Never rejects. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer)
          signal.removeEventListener('abort', end)
          resolve()
        }
        const timer = setTimeout(end, Math.max(1, Math.min(ms, LONGEST_MS)))
        this.#wake = end
        signal.addEventListener('abort', end)
      })
    }
    this.#rung = false
  }
}
