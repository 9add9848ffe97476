/**
 * Streams that were closed of late. What comes on one that we have reset was on its way (RFC 9113 §5.1);
 * on one that the visitor has ended itself it is an error; and one that never was is another error.
 */

const KEPT = 128

export const Closed = { UNKNOWN: 0, ENDED: 1, RESET: 2 } as const

export class ClosedStreams {
  /** A ring of numbers, negative for those that we have reset. */
  #ring: Int32Array | null = null
  #count = 0

  add(stream: number, reset: boolean): void {
    this.#ring ??= new Int32Array(KEPT)
    this.#ring[this.#count++ % KEPT] = reset ? -stream : stream
  }

  /** One of Closed. */
  what(stream: number): number {
    if (this.#ring === null) return Closed.UNKNOWN
    if (this.#ring.includes(-stream)) return Closed.RESET
    return this.#ring.includes(stream) ? Closed.ENDED : Closed.UNKNOWN
  }

  /** Some are no longer known. */
  get full(): boolean {
    return this.#count > KEPT
  }
}
