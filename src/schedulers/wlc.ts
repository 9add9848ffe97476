/** Weighted least connections: who has the fewest in hand for its weight. */
import { type Load, least, overhead } from './least.ts'
import type { Scheduler } from './scheduler.ts'

export const WLC: Load = { of: overhead, weighted: true }

/** `turns`: shared memory for turns among equals; null: the first. */
export function wlc(turns: Int32Array | null): Scheduler {
  return least('wlc', WLC, turns)
}
