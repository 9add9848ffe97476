/** A pool's targets in the order they are asked in: the servers, then the backup servers. */
import { persistent } from '../persistence/order.ts'
import type { Persistence } from '../persistence/persistence.ts'
import { createScheduler } from '../schedulers/create.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import type { PoolPlan, TargetPlan } from '../site/plan.ts'
import type { Transport } from '../transports/transport.ts'
import { PoolMemory } from './pool-memory.ts'
import { type Common, Target } from './target.ts'

/** Targets that can answer for one another. */
export interface Tier<Carrier = Transport> {
  readonly targets: readonly Target<Carrier>[]
  readonly scheduler: Scheduler
}

export interface Members<Carrier = Transport> extends Common {
  readonly tiers: readonly Tier<Carrier>[]
}

export interface MembersOptions {
  /** Of the pool, as PoolMemory allocates it; its own by default. */
  readonly memory?: SharedArrayBuffer
  /** Instead of the one the plan names. */
  readonly scheduler?: Scheduler
  /** Visitors that belong to a server; null: there are none. */
  readonly whose?: Persistence | null
  /** Takes lines about servers that cannot be reached. */
  readonly log?: (line: string) => void
}

/** `carrierOf`: how a server is reached. */
export function createMembers<Carrier>(
  plan: PoolPlan,
  options: MembersOptions,
  carrierOf: (target: TargetPlan, index: number) => Carrier,
): Members<Carrier> {
  const { whose = null } = options
  const memory = new PoolMemory(plan, options.memory ?? PoolMemory.allocate(plan))
  const tiers: Tier<Carrier>[] = []
  const members = { inNeed: false, tiers, complain: options.log }
  const targets = plan.servers.map(
    (target, index) => new Target(target, carrierOf(target, index), memory.target(index), members),
  )
  for (const tier of [0, 1] as const) {
    const own = targets.filter((_target, index) => plan.servers[index]!.backup === (tier === 1))
    if (own.length === 0 && tier === 1) continue
    const scheduler =
      options.scheduler ?? createScheduler(plan.schedule, memory.scheduler(tier), own.length)
    const order =
      whose === null || plan.persistence === undefined
        ? scheduler
        : persistent(scheduler, whose, plan.persistence.whenDown, targets)
    tiers.push(new WeighedTier(own, order, memory.weighings))
  }
  return members
}

/** Checks may change weights: schedulers then get another list, as they are promised. */
class WeighedTier<Carrier> implements Tier<Carrier> {
  readonly scheduler: Scheduler
  readonly #weighings: Int32Array
  #targets: readonly Target<Carrier>[]
  #seen = 0

  constructor(targets: readonly Target<Carrier>[], scheduler: Scheduler, weighings: Int32Array) {
    this.scheduler = scheduler
    this.#targets = targets
    this.#weighings = weighings
  }

  /** Hot: asked for once a request. */
  get targets(): readonly Target<Carrier>[] {
    const weighings = Atomics.load(this.#weighings, 0)
    if (weighings !== this.#seen) {
      this.#seen = weighings
      for (const target of this.#targets) target.weigh()
      this.#targets = [...this.#targets]
    }
    return this.#targets
  }
}
