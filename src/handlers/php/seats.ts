/**
 * How many connections all threads of the server have to a service: as many as it has workers, since
 * each of them keeps one. A thread without a connection to spare says that it waits; the others then
 * close what they do not use, and of what they use all that is more than their share.
 *
 * Shared memory, Int32: connections that are open, then for each thread whether it waits.
 */
import type { ConnectionCounter } from '../../transports/backend/connections.ts'

export class Seats implements ConnectionCounter {
  readonly #memory: Int32Array
  readonly #seats: number
  readonly #threads: number
  readonly #thread: number
  readonly #channel: BroadcastChannel | null
  /** A thread waits for a connection, or a place has become free. */
  changed: () => void = () => {}

  /** `memory`: room for a number and one more a thread. `name`: of the application. */
  constructor(
    memory: SharedArrayBuffer,
    seats: number,
    threads: number,
    thread: number,
    name: string,
  ) {
    this.#memory = new Int32Array(memory)
    this.#seats = seats
    this.#threads = threads
    this.#thread = thread
    this.#channel = threads > 1 ? new BroadcastChannel(`seats of ${name}`) : null
    if (this.#channel !== null) {
      this.#channel.onmessage = () => this.changed()
      this.#channel.unref()
    }
  }

  /** There is room for one more connection. */
  get free(): boolean {
    return Atomics.load(this.#memory, 0) < this.#seats
  }

  opened(): void {
    Atomics.add(this.#memory, 0, 1)
  }

  closed(): void {
    Atomics.sub(this.#memory, 0, 1)
    if (this.othersWait) this.#channel?.postMessage(null)
    this.changed()
  }

  /** Two threads may have taken the last seat at once: then one of them stands. */
  mayKeep(open: number): boolean {
    if (Atomics.load(this.#memory, 0) > this.#seats) return false
    return open <= this.#seats / this.#threads || !this.othersWait
  }

  /** This thread has requests and no connection for them, or no longer. */
  wait(waiting: boolean): void {
    if (this.#channel === null) return
    const before = Atomics.exchange(this.#memory, 1 + this.#thread, waiting ? 1 : 0)
    if (waiting && before === 0) this.#channel.postMessage(null)
  }

  get othersWait(): boolean {
    for (let thread = 0; thread < this.#threads; thread++) {
      if (thread !== this.#thread && Atomics.load(this.#memory, 1 + thread) === 1) return true
    }
    return false
  }

  close(): void {
    this.#channel?.close()
  }
}
