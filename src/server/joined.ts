/** Which workers are linked to every server thread. */

/** A link of a worker to one thread. */
export interface Linked {
  readonly app: string
  readonly slot: number
  readonly pid: number
  /** Requests that it takes at a time. */
  readonly capacity: number
  readonly thread: number
}

interface Worker {
  readonly pid: number
  readonly threads: Set<number>
}

export class Joined {
  readonly #threads: number
  readonly #joined: (linked: Linked) => void
  readonly #apps = new Map<string, Map<number, Worker>>()

  /** `joined` is told each time that a worker has its last link. */
  constructor(threads: number, joined: (linked: Linked) => void) {
    this.#threads = threads
    this.#joined = joined
  }

  /** The process in that slot; 0: it has none that is linked. */
  pid(app: string, slot: number): number {
    return this.#apps.get(app)?.get(slot)?.pid ?? 0
  }

  linked(linked: Linked): void {
    const { app, slot, pid, thread } = linked
    const slots = this.#apps.get(app) ?? new Map<number, Worker>()
    this.#apps.set(app, slots)
    const known = slots.get(slot)
    const worker = known?.pid === pid ? known : { pid, threads: new Set<number>() }
    slots.set(slot, worker)
    worker.threads.add(thread)
    if (worker.threads.size === this.#threads) this.#joined(linked)
  }
}
