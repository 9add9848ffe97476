/**
 * Hot: the requests in one worker's hands, by the id they have on its link. Slots that are used again,
 * not a Map: each table that a busy Map grows out of keeps the next one alive once it is old, and with
 * them every finished request, until the memory is collected as a whole (7 ms pauses instead of 0.4).
 */
import type { Job } from './job.ts'

/**
 * Low bits of an id: the slot, enough for the largest capacity that a worker may have. The rest tells
 * apart those that had the slot before.
 */
const SLOT_BITS = 17
const MOST = 1 << SLOT_BITS
const MOST_TURNS = 1 << (32 - SLOT_BITS)

export class InHand {
  /** Slot 0 is never used: id 0 is the link itself. */
  readonly #slots: (Job | null)[] = [null]
  readonly #free: number[] = []
  #turn = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Gives `job` an id. */
  add(job: Job): void {
    const slot = this.#free.pop() ?? this.#slots.push(null) - 1
    this.#turn++
    job.turn = this.#turn
    job.id = (this.#turn % MOST_TURNS) * MOST + slot
    this.#slots[slot] = job
    this.#size++
  }

  get(id: number): Job | null {
    const job = this.#slots[id % MOST]
    return job !== undefined && job !== null && job.id === id ? job : null
  }

  delete(job: Job): void {
    const slot = job.id % MOST
    this.#slots[slot] = null
    this.#free.push(slot)
    this.#size--
  }

  /** In no order; `visit` may delete the one it gets. */
  each(visit: (job: Job) => void): void {
    for (let i = 1; i < this.#slots.length; i++) {
      const job = this.#slots[i]!
      if (job !== null) visit(job)
    }
  }

  /** In the order they were added. */
  oldestFirst(): Job[] {
    if (this.#size === 0) return []
    return this.#slots.filter((job) => job !== null).sort((a, b) => a.turn - b.turn)
  }
}
