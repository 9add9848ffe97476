/**
 * What the threads of a server know together of a pool, in shared memory: what each backend has in hand,
 * how fast it is, and whatever its schedulers share. All Int32, written with atomics alone.
 */
import { schedulerCells } from '../schedulers/create.ts'
import type { PoolPlan, SchedulePlan, TargetPlan } from '../site/plan.ts'
import { type SharedCells, TARGET_CELLS } from './cells.ts'

export class PoolMemory {
  readonly #cells: SharedCells
  readonly #schedule: SchedulePlan
  readonly #servers: readonly TargetPlan[]

  constructor({ schedule, servers }: PoolPlan, memory: SharedArrayBuffer) {
    this.#cells = new Int32Array(memory)
    this.#schedule = schedule
    this.#servers = servers
  }

  /** For all threads of one server process. */
  static allocate({ schedule, servers }: PoolPlan): SharedArrayBuffer {
    const cells = servers.length * TARGET_CELLS + 2 * tierCells(schedule, servers)
    return new SharedArrayBuffer(cells * Int32Array.BYTES_PER_ELEMENT)
  }

  /** Of one backend, by its index in the plan. */
  target(index: number): SharedCells {
    return this.#part(index * TARGET_CELLS, TARGET_CELLS)
  }

  /** Of the scheduler of the servers, or of that of the backup servers. */
  scheduler(tier: 0 | 1): SharedCells {
    const size = tierCells(this.#schedule, this.#servers)
    return this.#part(this.#servers.length * TARGET_CELLS + tier * size, size)
  }

  #part(from: number, size: number): SharedCells {
    return this.#cells.subarray(from, from + size)
  }
}

/** Whole cache lines. */
function tierCells(schedule: SchedulePlan, servers: readonly TargetPlan[]): number {
  return Math.ceil(schedulerCells(schedule, servers.length) / TARGET_CELLS) * TARGET_CELLS
}
