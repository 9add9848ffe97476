/** What is told of a pool that retries, leaves out, hedges or queues. Plain data only. */
import type { PoolPlan } from '../site/plan.ts'
import { BREAKER_CELLS, Breaker } from './breaker.ts'
import { BREAKER } from './cells.ts'
import { Figures, type PoolFigures } from './figures.ts'
import { Places } from './places.ts'
import { PoolMemory } from './pool-memory.ts'

/** Of the server process that serves now. */
export interface PoolCounts extends PoolFigures {
  /** Requests in its queue. */
  readonly waiting: number
  /** Servers that rest because they failed. */
  readonly resting: readonly string[]
  /** The pool as a whole rests. */
  readonly open: boolean
}

export function readPoolCounts(
  pools: readonly PoolPlan[],
  memory: Readonly<Record<string, SharedArrayBuffer>>,
): Record<string, PoolCounts> {
  const pairs = pools.flatMap((pool): [string, PoolCounts][] => {
    const { resilience, servers, name } = pool
    const own = new PoolMemory(pool, memory[name]!)
    const cells = own.pool
    if (cells === null || resilience === undefined) return []
    const { queue, breaker, passive } = resilience
    const resting = servers.filter((_server, at) => {
      const of = own.target(at).subarray(BREAKER, BREAKER + BREAKER_CELLS)
      return passive !== null && new Breaker(of, passive).tripped
    })
    const counts = {
      ...new Figures(cells.figures).read(),
      waiting: queue === null ? 0 : new Places(cells.queue, queue.size).depth,
      resting: resting.map((server) => server.name),
      open: breaker !== null && new Breaker(cells.breaker, breaker).tripped,
    }
    return [[name, counts]]
  })
  return Object.fromEntries(pairs)
}
