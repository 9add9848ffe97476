/** What the threads share of a pool as a whole where it retries, leaves out, hedges or has a queue. */
import type { ResiliencePlan } from '../site/resilience-plan.ts'
import { BREAKER_CELLS } from './breaker.ts'
import { BUDGET_CELLS } from './budget.ts'
import type { SharedCells } from './cells.ts'
import { FIGURE_CELLS } from './figures.ts'
import { placesCells } from './places.ts'
import { QUANTILE_CELLS } from './quantile.ts'

/** Where two threads must not decide at once: see guardTargets. */
const LOCK_CELLS = 1

export interface PoolCells {
  readonly breaker: SharedCells
  readonly lock: SharedCells
  readonly retries: SharedCells
  readonly hedges: SharedCells
  readonly figures: SharedCells
  readonly times: SharedCells
  readonly queue: SharedCells
}

function sizes({ queue, hedge }: ResiliencePlan): Record<keyof PoolCells, number> {
  return {
    breaker: BREAKER_CELLS,
    lock: LOCK_CELLS,
    retries: BUDGET_CELLS,
    hedges: BUDGET_CELLS,
    figures: FIGURE_CELLS,
    times: hedge === null ? 0 : QUANTILE_CELLS,
    queue: queue === null ? 0 : placesCells(queue.size),
  }
}

/** How many Int32 places all that takes. */
export function poolCells(plan: ResiliencePlan | undefined): number {
  if (plan === undefined) return 0
  return Object.values(sizes(plan)).reduce((sum, size) => sum + size, 0)
}

/** `cells`: as many as `poolCells` says. */
export function dividePoolCells(cells: SharedCells, plan: ResiliencePlan): PoolCells {
  let at = 0
  const parts = Object.entries(sizes(plan)).map(([name, size]) => {
    const part = cells.subarray(at, at + size)
    at += size
    return [name, part]
  })
  return Object.fromEntries(parts) as PoolCells
}
