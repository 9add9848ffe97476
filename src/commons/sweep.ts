/** Frees what has expired and nobody asks for: a little at a time, so that no client waits for it. */
import type { Commons } from './commons.ts'
import type { Entry } from './entry.ts'

const EVERY_MS = 100
/** Of each turn, ms. */
const LONGEST_MS = 2
const BETWEEN_LOOKS = 64

export class Sweep {
  readonly #commons: Commons
  readonly #timer: NodeJS.Timeout
  #entries: MapIterator<Entry> | null = null
  #space = 0

  constructor(commons: Commons) {
    this.#commons = commons
    this.#timer = setInterval(() => this.turn(), EVERY_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Looks at keys from where the last turn stopped. */
  turn(): void {
    const { clock, spaces } = this.#commons
    clock.read()
    const until = clock.now + LONGEST_MS
    let untouched = 0
    while (untouched < spaces.length) {
      const space = spaces[this.#space]!
      this.#entries ??= space.expiring === 0 ? null : space.entries()
      let seen = 0
      for (const entry of this.#entries ?? []) {
        if (space.isExpired(entry)) space.expire(entry)
        if (++seen % BETWEEN_LOOKS === 0 && performance.now() > until) return
      }
      this.#entries = null
      this.#space = (this.#space + 1) % spaces.length
      untouched++
    }
  }
}
