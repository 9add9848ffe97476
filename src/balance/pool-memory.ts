/**
 * What the threads of a server know together of a pool, in shared memory: what each backend has in hand,
 * how fast it is, and whatever its schedulers share. All Int32, written with atomics alone.
 */
import { schedulerCells } from '../schedulers/create.ts'
import type { PoolPlan, SchedulePlan, TargetPlan } from '../site/plan.ts'
import type { ResiliencePlan } from '../site/resilience-plan.ts'
import { type SharedCells, TARGET_CELLS, WEIGHINGS_CELLS } from './cells.ts'
import { dividePoolCells, type PoolCells, poolCells } from './pool-cells.ts'

export class PoolMemory {
  readonly #cells: SharedCells
  readonly #schedule: SchedulePlan
  readonly #servers: readonly TargetPlan[]
  readonly #resilience: ResiliencePlan | undefined

  constructor({ schedule, servers, resilience }: PoolPlan, memory: SharedArrayBuffer) {
    this.#resilience = resilience
    this.#cells = new Int32Array(memory)
    this.#schedule = schedule
    this.#servers = servers
  }

  /** For all threads of one server process. */
  static allocate({ schedule, servers, resilience }: PoolPlan): SharedArrayBuffer {
    const tiers = 2 * tierCells(schedule, servers)
    const own = WEIGHINGS_CELLS + servers.length * TARGET_CELLS
    const cells = own + tiers + poolCells(resilience)
    return new SharedArrayBuffer(cells * Int32Array.BYTES_PER_ELEMENT)
  }

  /** How often weights have changed: see WeighedTier. */
  get weighings(): SharedCells {
    return this.#part(0, WEIGHINGS_CELLS)
  }

  /** Of one backend, by its index in the plan. */
  target(index: number): SharedCells {
    return this.#part(WEIGHINGS_CELLS + index * TARGET_CELLS, TARGET_CELLS)
  }

  /** Of the scheduler of the servers, or of that of the backup servers. */
  scheduler(tier: 0 | 1): SharedCells {
    const size = tierCells(this.#schedule, this.#servers)
    const from = WEIGHINGS_CELLS + this.#servers.length * TARGET_CELLS
    return this.#part(from + tier * size, size)
  }

  /** Of the pool as a whole; null: it shares nothing but the above. */
  get pool(): PoolCells | null {
    const plan = this.#resilience
    if (plan === undefined) return null
    const size = poolCells(plan)
    return dividePoolCells(this.#part(this.#cells.length - size, size), plan)
  }

  #part(from: number, size: number): SharedCells {
    return this.#cells.subarray(from, from + size)
  }
}

/** Whole cache lines. */
function tierCells(schedule: SchedulePlan, servers: readonly TargetPlan[]): number {
  return Math.ceil(schedulerCells(schedule, servers.length) / TARGET_CELLS) * TARGET_CELLS
}
