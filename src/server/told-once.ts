/** What every thread finds out for itself, such as a file that cannot be read: people are told once. */

/** So long the same words are the same news, ms. */
const SAME_MS = 10_000
/** With more at once than that, some are told again. */
const MOST = 256

export class ToldOnce {
  /** When each was told. */
  readonly #told = new Map<string, number>()

  /** `now`: on `performance.now()`. */
  isNews(message: string, now: number): boolean {
    const before = this.#told.get(message)
    if (before !== undefined && now - before < SAME_MS) return false
    if (this.#told.size >= MOST) this.#told.clear()
    this.#told.set(message, now)
    return true
  }
}
