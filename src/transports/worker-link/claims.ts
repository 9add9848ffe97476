/**
 * Which workers of an application are idle, exactly, for all threads of the server: claims in shared
 * memory by compare-and-swap. No thread ever gives a request to a worker that another one keeps busy
 * while some worker is idle.
 *
 * Memory: one Int32 per slot (requests claimed), then one per thread (is it waiting?).
 */
export class Claims {
  readonly #memory: Int32Array
  readonly #slots: number
  readonly #threads: number
  readonly #thread: number

  constructor(memory: SharedArrayBuffer, slots: number, threads: number, thread: number) {
    this.#memory = new Int32Array(memory)
    this.#slots = slots
    this.#threads = threads
    this.#thread = thread
  }

  static allocate(slots: number, threads: number): SharedArrayBuffer {
    return new SharedArrayBuffer((slots + threads) * Int32Array.BYTES_PER_ELEMENT)
  }

  /** How many requests all threads have claimed `slot` for. */
  load(slot: number): number {
    return Atomics.load(this.#memory, slot)
  }

  /** Claims one place of `slot` if it still has the load that was seen. */
  take(slot: number, seen: number): boolean {
    return Atomics.compareExchange(this.#memory, slot, seen, seen + 1) === seen
  }

  /** Gives places back, and wakes a thread that waits for one. True when another thread waits. */
  release(slot: number, places: number): boolean {
    Atomics.sub(this.#memory, slot, places)
    return this.#threads > 1 && this.#wakeNext()
  }

  /** Tells the others that this thread waits for a worker, or no longer does. */
  wait(waiting: boolean): void {
    if (this.#threads > 1) Atomics.store(this.#memory, this.#slots + this.#thread, waiting ? 1 : 0)
  }

  /** Resolves when a place was given back while this thread waited. */
  woken(): Promise<unknown> | null {
    if (this.#threads === 1) return null
    const wait = Atomics.waitAsync(this.#memory, this.#slots + this.#thread, 1)
    return wait.async ? wait.value : Promise.resolve()
  }

  #wakeNext(): boolean {
    for (let i = 1; i < this.#threads; i++) {
      const place = this.#slots + ((this.#thread + i) % this.#threads)
      if (Atomics.load(this.#memory, place) === 1) {
        Atomics.notify(this.#memory, place, 1)
        return true
      }
    }
    return false
  }
}
