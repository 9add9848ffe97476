/** What is kept, counted in bytes, within a bound. Whoever can give something up is asked when it is reached. */

/** A Map's place, an object and two strings, as measured; what a short key and value cost beside their bytes. */
export const ENTRY_COST = 240
/** An element of a list, with its share of the ring. */
export const ELEMENT_COST = 56
/** A field of a hash: a Map's place and two strings. */
export const FIELD_COST = 112

export class Memory {
  readonly limit: number
  /** Gives up one thing that may be lost; false when there is none left. */
  readonly #giveUp: () => boolean
  used = 0

  constructor(limit: number, giveUp: () => boolean) {
    this.limit = limit
    this.#giveUp = giveUp
  }

  /** Makes room for `bytes` more; false when that cannot be. */
  hasRoom(bytes: number): boolean {
    if (bytes > this.limit) return false
    while (this.used + bytes > this.limit) if (!this.#giveUp()) return false
    return true
  }
}
