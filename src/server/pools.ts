/**
 * What a server process keeps of its pools for all of its threads: the memory that they share, the checks,
 * and whose the visitors are. Loaded where a site has pools: it brings every scheduler and every check.
 */

import type { Order } from '../balance/cells.ts'
import { HealthChecks, type HealthOptions } from '../balance/health-checks.ts'
import { readPoolCounts } from '../balance/pool-counts.ts'
import { PoolMemory } from '../balance/pool-memory.ts'
import { allocatePersistence } from '../persistence/create.ts'
import { type AllBelongings, takeBelongings, tellBelongings } from '../persistence/hand-over.ts'
import type { SitePlan } from '../site/plan.ts'
import { allocateTallies } from '../transports/backend/tally.ts'
import type { ThreadStart } from './messages.ts'
import { withConnections } from './pool-connections.ts'
import type { ServerStatus, ToServer } from './protocol.ts'

export class ServerPools {
  readonly #plan: SitePlan
  /** What each thread is given of it. */
  readonly shared: Pick<ThreadStart, 'pools' | 'belongings' | 'tallies'>
  readonly #health: HealthChecks

  constructor(
    start: Extract<ToServer, { type: 'start' }>,
    { tell, complain }: Pick<HealthOptions, 'tell' | 'complain'>,
  ) {
    const { plan } = start
    const all = Object.values(plan.pools)
    const pools = Object.fromEntries(all.map((pool) => [pool.name, PoolMemory.allocate(pool)]))
    this.#plan = plan
    this.shared = {
      pools,
      belongings: allocatePersistence(plan, start.belongingsKey),
      tallies: allocateTallies(plan),
    }
    this.#health = new HealthChecks({
      pools: all,
      memory: pools,
      files: start.poolFiles,
      before: start.health,
      user: plan.user,
      tell,
      complain,
    })
    this.#health.start()
  }

  /** Asks no more: who comes next does. */
  stop(): void {
    this.#health.stop()
  }

  order(pool: string, server: string, order: Order): void {
    this.#health.order(pool, server, order)
  }

  get status(): Pick<ServerStatus, 'pools' | 'poolCounts'> {
    const { pools, tallies } = this.shared
    return {
      pools: withConnections(this.#health.status, tallies, this.#plan),
      poolCounts: readPoolCounts(Object.values(this.#plan.pools), pools),
    }
  }

  tellBelongings(): AllBelongings {
    return tellBelongings(this.#plan.pools, this.shared.belongings)
  }

  takeBelongings(told: AllBelongings): void {
    takeBelongings(told, this.#plan.pools, this.shared.belongings)
  }
}
