/**
 * Stops restarting what does nothing but die, and tries again at growing intervals.
 *
 *     closed ──all die──► open ──a while──► half ──one lives──► closed
 *                          ▲                 │
 *                          └────it dies──────┘
 */

/** Until the next try, at first and at most, ms. */
const FIRST_TRY_MS = 5_000
const LONGEST_TRY_MS = 60_000

export class Circuit {
  readonly #tryAgain: () => void
  #state: 'closed' | 'open' | 'half' = 'closed'
  #waitMs = FIRST_TRY_MS
  #timer: NodeJS.Timeout | undefined

  /** `tryAgain` is called when it is half open: one may be started, to see whether it lives. */
  constructor(tryAgain: () => void) {
    this.#tryAgain = tryAgain
  }

  get state(): 'closed' | 'open' | 'half' {
    return this.#state
  }

  /** Returns how long it stays so, ms. */
  open(): number {
    const waitMs = this.#waitMs
    this.#waitMs = Math.min(LONGEST_TRY_MS, waitMs * 2)
    this.#state = 'open'
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#state = 'half'
      this.#tryAgain()
    }, waitMs)
    return waitMs
  }

  close(): void {
    this.#state = 'closed'
    this.#waitMs = FIRST_TRY_MS
    this.stop()
  }

  /** Nothing is tried any more. */
  stop(): void {
    clearTimeout(this.#timer)
  }
}
