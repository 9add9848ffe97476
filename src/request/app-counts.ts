/**
 * Hot: what one server thread counts of an application, in shared memory: it alone writes its block, so
 * each count is a plain store. Float64 holds whole numbers exactly to 2^53.
 *
 * A block: the application's counts, two histograms, then `SLOT_PLACES` for each place for a worker.
 */
import { HISTOGRAM_PLACES, type Histogram, observe, readHistogram } from './histogram.ts'

const Place = { requests: 0, errors: 1, waiting: 2, busy: 3, workers: 4 } as const
const SERVED = 5
const WAITED: number = SERVED + HISTOGRAM_PLACES
const SLOTS: number = WAITED + HISTOGRAM_PLACES

const SlotPlace = { requests: 0, errors: 1, ms: 2, sent: 3, inHand: 4, before: 5 } as const
const SLOT_PLACES = 6

/** Of one worker's place. */
export interface SlotNumbers {
  readonly slot: number
  readonly requests: number
  /** Of these, by the worker that has the place now. */
  readonly own: number
  readonly errors: number
  /** Time that its requests took, ms. */
  readonly runMs: number
  readonly sent: number
  readonly inHand: number
}

export interface AppNumbers {
  readonly requests: number
  readonly errors: number
  readonly waiting: number
  readonly busy: number
  readonly workers: number
  /** From the hand of a worker to the answer's end. */
  readonly served: Histogram
  /** In the queue, only of those that had to wait. */
  readonly waited: Histogram
}

export class AppCounts {
  readonly #block: Float64Array

  private constructor(block: Float64Array) {
    this.#block = block
  }

  /** Shared memory for the blocks of `threads`. */
  static allocate(threads: number, slots: number): SharedArrayBuffer {
    return new SharedArrayBuffer(threads * bytesOf(slots))
  }

  static of(memory: SharedArrayBuffer, thread: number, slots: number): AppCounts {
    return new AppCounts(new Float64Array(memory, thread * bytesOf(slots), placesOf(slots)))
  }

  /** Of one thread that nobody else reads. */
  static alone(slots: number): AppCounts {
    return AppCounts.of(AppCounts.allocate(1, slots), 0, slots)
  }

  get requests(): number {
    return this.#block[Place.requests]!
  }

  set requests(count: number) {
    this.#block[Place.requests] = count
  }

  get errors(): number {
    return this.#block[Place.errors]!
  }

  set errors(count: number) {
    this.#block[Place.errors] = count
  }

  /** The application has taken `ms` for a request. */
  served(ms: number): void {
    observe(this.#block, SERVED, ms)
  }

  /** A request leaves the queue after `ms`. */
  waited(ms: number): void {
    observe(this.#block, WAITED, ms)
  }

  /** The same of one worker, with the bytes of its answer's body. */
  workerServed(slot: number, ms: number, bytes: number, failed: boolean): void {
    const at = SLOTS + slot * SLOT_PLACES
    const block = this.#block
    block[at + SlotPlace.requests]!++
    block[at + SlotPlace.ms]! += ms
    block[at + SlotPlace.sent]! += bytes
    if (failed) block[at + SlotPlace.errors]!++
  }

  /** Another worker has the place from now on. */
  workerCame(slot: number): void {
    const at = SLOTS + slot * SLOT_PLACES
    this.#block[at + SlotPlace.before] = this.#block[at + SlotPlace.requests]!
  }

  /** Requests that a worker has in hand from this thread. */
  workerHas(slot: number, count: number): void {
    this.#block[SLOTS + slot * SLOT_PLACES + SlotPlace.inHand] = count
  }

  /** What is now; written at each tick of the clock. */
  now(waiting: number, busy: number, workers: number): void {
    this.#block[Place.waiting] = waiting
    this.#block[Place.busy] = busy
    this.#block[Place.workers] = workers
  }

  /** How many wait in each thread. */
  static waiting(memory: SharedArrayBuffer, slots: number): number[] {
    const all = new Float64Array(memory)
    const step = bytesOf(slots) / Float64Array.BYTES_PER_ELEMENT
    const waiting: number[] = []
    for (let at = 0; at < all.length; at += step) waiting.push(all[at + Place.waiting]!)
    return waiting
  }

  /** The sum over all threads. */
  static read(memory: SharedArrayBuffer, slots: number): AppNumbers {
    const sum = sumOf(memory, slots)
    return {
      requests: sum[Place.requests]!,
      errors: sum[Place.errors]!,
      waiting: sum[Place.waiting]!,
      busy: sum[Place.busy]!,
      // Every worker is linked to every thread.
      workers: new Float64Array(memory)[Place.workers]!,
      served: readHistogram(sum, SERVED),
      waited: readHistogram(sum, WAITED),
    }
  }

  /** Of each place for a worker, over all threads. */
  static readSlots(memory: SharedArrayBuffer, slots: number): SlotNumbers[] {
    const sum = sumOf(memory, slots)
    return Array.from({ length: slots }, (_, slot) => {
      const at = SLOTS + slot * SLOT_PLACES
      const requests = sum[at + SlotPlace.requests]!
      return {
        slot,
        requests,
        own: requests - sum[at + SlotPlace.before]!,
        errors: sum[at + SlotPlace.errors]!,
        runMs: sum[at + SlotPlace.ms]!,
        sent: sum[at + SlotPlace.sent]!,
        inHand: sum[at + SlotPlace.inHand]!,
      }
    })
  }
}

function placesOf(slots: number): number {
  return SLOTS + slots * SLOT_PLACES
}

/** Whole cache lines, so that threads do not take each other's away. */
function bytesOf(slots: number): number {
  return Math.ceil((placesOf(slots) * Float64Array.BYTES_PER_ELEMENT) / 64) * 64
}

function sumOf(memory: SharedArrayBuffer, slots: number): Float64Array {
  const places = placesOf(slots)
  const sum = new Float64Array(places)
  for (let from = 0; from < memory.byteLength; from += bytesOf(slots)) {
    const block = new Float64Array(memory, from, places)
    for (let i = 0; i < places; i++) sum[i]! += block[i]!
  }
  return sum
}
