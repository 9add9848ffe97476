/**
 * What the threads count of each listener without HTTP, in shared memory: each thread writes only its own
 * block, so a count is a plain store. Only how many are open is one number for all, so that a bound on
 * it is exact.
 */

/** Places in a thread's block. */
const Place = {
  accepted: 0,
  closed: 1,
  refused: 2,
  failed: 3,
  received: 4,
  sent: 5,
} as const
/** A cache line. */
const PLACES = 8
/** Of a listener: the line of what all threads share, then one for each thread. */
const BYTES: number = PLACES * Float64Array.BYTES_PER_ELEMENT

/** Of one listener, over all threads. Counts only grow, `open` apart. */
export interface StreamNumbers {
  readonly open: number
  readonly accepted: number
  /** Closed at once: there were as many as there may be. */
  readonly refused: number
  /** No server could be reached, or the visitor was not understood. */
  readonly failed: number
  /** Bytes from visitors. */
  readonly received: number
  /** Bytes to visitors. */
  readonly sent: number
}

export class StreamCounts {
  readonly #block: Float64Array
  readonly #open: Int32Array

  /** For `listener` of `thread`, of `threads`. */
  constructor(memory: SharedArrayBuffer, listener: number, thread: number, threads: number) {
    const at = listener * (threads + 1) * BYTES
    this.#open = new Int32Array(memory, at, 1)
    this.#block = new Float64Array(memory, at + (thread + 1) * BYTES, PLACES)
  }

  static allocate(listeners: number, threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(listeners * (threads + 1) * BYTES)
  }

  static read(memory: SharedArrayBuffer, listener: number, threads: number): StreamNumbers {
    const at = listener * (threads + 1) * BYTES
    const blocks = new Float64Array(memory, at + BYTES, threads * PLACES)
    const sum = (place: number): number => {
      let all = 0
      for (let i = place; i < blocks.length; i += PLACES) all += blocks[i]!
      return all
    }
    return {
      open: Math.max(0, sum(Place.accepted) - sum(Place.closed)),
      accepted: sum(Place.accepted),
      refused: sum(Place.refused),
      failed: sum(Place.failed),
      received: sum(Place.received),
      sent: sum(Place.sent),
    }
  }

  /** One more; false: there are `most` already, of all threads. 0: no bound. */
  open(most: number): boolean {
    if (Atomics.add(this.#open, 0, 1) >= most && most > 0) {
      Atomics.sub(this.#open, 0, 1)
      this.refused()
      return false
    }
    this.#block[Place.accepted]!++
    return true
  }

  refused(): void {
    this.#block[Place.refused]!++
  }

  closed(): void {
    Atomics.sub(this.#open, 0, 1)
    this.#block[Place.closed]!++
  }

  failed(): void {
    this.#block[Place.failed]!++
  }

  received(bytes: number): void {
    this.#block[Place.received]! += bytes
  }

  sent(bytes: number): void {
    this.#block[Place.sent]! += bytes
  }
}
