/**
 * Hot: what a server thread counts, in shared memory: each thread writes only its own block, so a count
 * is a plain store, and anybody may read the sum. Float64 holds whole numbers exactly to 2^53.
 */

/** Places in a thread's block; `answers` is followed by five classes, 1xx to 5xx. */
const Place = {
  accepted: 0,
  closed: 1,
  requests: 2,
  finished: 3,
  received: 4,
  sent: 5,
  answers: 6,
} as const
const PLACES = 11

export class Counters {
  readonly #block: Float64Array

  private constructor(block: Float64Array) {
    this.#block = block
  }

  /** Shared memory for `threads` blocks. */
  static allocate(threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer(threads * PLACES * Float64Array.BYTES_PER_ELEMENT)
  }

  /** The block of one thread. */
  static of(memory: SharedArrayBuffer, thread: number): Counters {
    return new Counters(
      new Float64Array(memory, thread * PLACES * Float64Array.BYTES_PER_ELEMENT, PLACES),
    )
  }

  /** The sum over all threads. */
  static read(memory: SharedArrayBuffer): Totals {
    const all = new Float64Array(memory)
    const sum = (place: number): number => {
      let total = 0
      for (let i = place; i < all.length; i += PLACES) total += all[i]!
      return total
    }
    const answers: Record<string, number> = {}
    for (let i = 1; i <= 5; i++) answers[`${i}xx`] = sum(Place.answers + i - 1)
    return {
      accepted: sum(Place.accepted),
      open: sum(Place.accepted) - sum(Place.closed),
      requests: sum(Place.requests),
      active: sum(Place.requests) - sum(Place.finished),
      received: sum(Place.received),
      sent: sum(Place.sent),
      answers,
    }
  }

  opened(): void {
    this.#block[Place.accepted]!++
  }

  closed(): void {
    this.#block[Place.closed]!++
  }

  began(): void {
    this.#block[Place.requests]!++
  }

  /** An exchange is over; `status` 0 when the visitor left before any answer. */
  finished(status: number): void {
    this.#block[Place.finished]!++
    if (status >= 100 && status < 600) this.#block[Place.answers + Math.floor(status / 100) - 1]!++
  }

  received(bytes: number): void {
    this.#block[Place.received]! += bytes
  }

  sent(bytes: number): void {
    this.#block[Place.sent]! += bytes
  }
}

export interface Totals {
  readonly accepted: number
  readonly open: number
  readonly requests: number
  readonly active: number
  readonly received: number
  readonly sent: number
  readonly answers: Readonly<Record<string, number>>
}
