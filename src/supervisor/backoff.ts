/** When to start again what has died: at once, unless it keeps dying young. */

export interface BackoffSettings {
  /** A life shorter than this counts as a failed start, ms. */
  readonly youngMs: number
  /** The first wait, ms; each further one is twice as long. */
  readonly firstMs: number
  readonly longestMs: number
}

/** Restart at once the first time, then after 100 ms, 200 ms … 5 s. */
export const defaultBackoff: BackoffSettings = { youngMs: 150, firstMs: 100, longestMs: 5_000 }

/** Deaths in a row after which the log says that something is wrong beyond one accident. */
export const CIRCUIT_DEATHS = 5

/** How a wait that `died` has returned is told. */
export function afterWait(ms: number): string {
  return ms === 0 ? 'at once' : `in ${ms} ms`
}

/** Counts early deaths. Knows no clock: it is told how long each life was. */
export class Backoff {
  readonly #settings: BackoffSettings
  #earlyDeaths = 0

  constructor(settings: BackoffSettings = defaultBackoff) {
    this.#settings = settings
  }

  /** Early deaths in a row. */
  get deaths(): number {
    return this.#earlyDeaths
  }

  /** Takes note of a death after `livedMs`; returns how long to wait before the next start, ms. */
  died(livedMs: number): number {
    const { youngMs, firstMs, longestMs } = this.#settings
    if (livedMs >= youngMs) {
      this.#earlyDeaths = 0
      return 0
    }
    this.#earlyDeaths += 1
    if (this.#earlyDeaths === 1) return 0
    return Math.min(longestMs, firstMs * 2 ** Math.min(this.#earlyDeaths - 2, 16))
  }

  /** Forgets the past: what was started has proven itself. */
  reset(): void {
    this.#earlyDeaths = 0
  }
}
