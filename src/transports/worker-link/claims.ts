/**
 * Which workers of an application are idle, exactly, for all threads of the server: claims in shared
 * memory by compare-and-swap. No thread gives a request to a worker that another one keeps busy, and
 * none waits for ever: a place that is given back while another thread waits is handed to that thread,
 * in turn, instead of going to whoever is fastest.
 *
 * Memory, all Int32: a load per slot (places claimed), then per thread `waiting` (0 or 1) and `handed`
 * (slot + 1 of a place that was handed to it, 0 for none).
 */
/** More than any worker has places. */
const BLOCKED = 1 << 24

export class Claims {
  readonly #memory: Int32Array
  readonly #slots: number
  readonly #threads: number
  readonly #thread: number
  /** The thread that was handed a place last. */
  #last: number

  constructor(memory: SharedArrayBuffer, slots: number, threads: number, thread: number) {
    this.#memory = new Int32Array(memory)
    this.#slots = slots
    this.#threads = threads
    this.#thread = thread
    this.#last = thread
  }

  static allocate(slots: number, threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer((slots + 2 * threads) * Int32Array.BYTES_PER_ELEMENT)
  }

  /** How many places of `slot` all threads have claimed. */
  load(slot: number): number {
    return Atomics.load(this.#memory, slot)
  }

  /** Claims one place of `slot` if it still has the load that was seen. */
  take(slot: number, seen: number): boolean {
    return Atomics.compareExchange(this.#memory, slot, seen, seen + 1) === seen
  }

  /** Nobody takes a place of `slot` until as many as this returns are given back. */
  block(slot: number): number {
    Atomics.add(this.#memory, slot, BLOCKED)
    return BLOCKED
  }

  /** Gives places back: the first to a thread that waits, the rest to everybody. */
  release(slot: number, places: number): void {
    const left = this.#threads > 1 && this.#handOver(slot) ? places - 1 : places
    if (left > 0) Atomics.sub(this.#memory, slot, left)
  }

  /**
   * Gives back places of a worker that this thread cannot reach, to nobody in particular: handed over,
   * they would go round between threads that cannot reach it either. Those that wait look for themselves.
   */
  free(slot: number, places: number): void {
    Atomics.sub(this.#memory, slot, places)
    for (let i = 1; i < this.#threads; i++) {
      const waiting = this.#waiting((this.#thread + i) % this.#threads)
      if (Atomics.load(this.#memory, waiting) === 1) Atomics.notify(this.#memory, waiting, 1)
    }
  }

  /** Tells the others that this thread waits for a place, or no longer does. */
  wait(waiting: boolean): void {
    if (this.#threads > 1) Atomics.store(this.#memory, this.#waiting(this.#thread), waiting ? 1 : 0)
  }

  /** Some other thread waits for a place. */
  othersWait(): boolean {
    for (let i = 1; i < this.#threads; i++) {
      const thread = (this.#thread + i) % this.#threads
      if (Atomics.load(this.#memory, this.#waiting(thread)) === 1) return true
    }
    return false
  }

  /** The slot of a place that was handed to this thread, which now holds it; -1: none. */
  handed(): number {
    if (this.#threads === 1) return -1
    return Atomics.exchange(this.#memory, this.#handed(this.#thread), 0) - 1
  }

  /** A place was handed over and not taken yet. */
  get hasHanded(): boolean {
    return this.#threads > 1 && Atomics.load(this.#memory, this.#handed(this.#thread)) !== 0
  }

  /** Settles when a place is handed to this thread; null when there is no other thread. */
  woken(): Promise<unknown> | null {
    if (this.#threads === 1) return null
    const wait = Atomics.waitAsync(this.#memory, this.#waiting(this.#thread), 1)
    return wait.async ? wait.value : Promise.resolve()
  }

  #waiting(thread: number): number {
    return this.#slots + thread
  }

  #handed(thread: number): number {
    return this.#slots + this.#threads + thread
  }

  #handOver(slot: number): boolean {
    for (let i = 1; i <= this.#threads; i++) {
      const thread = (this.#last + i) % this.#threads
      if (thread === this.#thread) continue
      const waiting = this.#waiting(thread)
      const handed = this.#handed(thread)
      if (Atomics.load(this.#memory, waiting) !== 1) continue
      if (Atomics.compareExchange(this.#memory, handed, 0, slot + 1) !== 0) continue
      // It may have stopped waiting between the two; then the place must not be left with it.
      const stays =
        Atomics.load(this.#memory, waiting) === 1 ||
        Atomics.compareExchange(this.#memory, handed, slot + 1, 0) !== slot + 1
      if (!stays) continue
      this.#last = thread
      Atomics.notify(this.#memory, waiting, 1)
      return true
    }
    return false
  }
}
