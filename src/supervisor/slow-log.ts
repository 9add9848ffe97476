/**
 * Tells of requests that run longer than their soft deadline, a few of each application: what makes
 * one slow makes many slow, and the log is for reading.
 */
import type { FromServer } from '../server/protocol.ts'
import type { Fields, Logger } from './logger.ts'

/** So many at once, and one more each time that this has passed, ms. */
const MOST = 5
const REFILL_MS = 10_000
/** A stack that is younger than this shows where the next request of the same worker stands, too, ms. */
const FRESH_MS = 1_000

export type SlowReport = Extract<FromServer, { type: 'slow' }>

export class SlowLog {
  readonly #app: string
  readonly #logger: Logger
  readonly #now: () => number
  #left = MOST
  #refilled: number
  #untold = 0
  #shown = { pid: 0, at: Number.NEGATIVE_INFINITY }

  constructor(app: string, logger: Logger, now: () => number = () => performance.now()) {
    this.#app = app
    this.#logger = logger
    this.#now = now
    this.#refilled = now()
  }

  /**
   * True where it was told and the stack is to follow; else it has been shown a moment ago, or too many
   * have. `hint`: what follows, or why nothing does.
   */
  tell(report: SlowReport, hint: string): boolean {
    this.#untold += report.untold
    if (!this.#mayTell()) {
      this.#untold++
      return false
    }
    const { pid, request, elapsedMs } = report
    const others = this.#untold === 0 ? '' : ` (${this.#untold} other slow ones were not told)`
    this.#untold = 0
    const now = this.#now()
    const isShown = pid !== 0 && this.#shown.pid === pid && now - this.#shown.at < FRESH_MS
    this.#logger.warn(
      `slow request: ${request} has run for ${Math.round(elapsedMs)} ms${others}; ${isShown ? 'its worker’s stack is shown above' : hint}`,
      fieldsOf(this.#app, report),
    )
    if (isShown) return false
    this.#shown = { pid, at: now }
    return true
  }

  #mayTell(): boolean {
    const now = this.#now()
    const more = Math.floor((now - this.#refilled) / REFILL_MS)
    if (more > 0) {
      this.#left = Math.min(MOST, this.#left + more)
      this.#refilled += more * REFILL_MS
    }
    if (this.#left === 0) return false
    this.#left--
    return true
  }
}

/** What the lines about a request have beside their words. */
export function fieldsOf(app: string, { pid, id = '' }: { pid: number; id?: string }): Fields {
  return {
    app,
    ...(pid === 0 ? {} : { pid }),
    ...(id === '' ? {} : { request_id: id }),
  }
}
