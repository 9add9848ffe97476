/** Least connections: who has the fewest in hand, whatever its weight. */
import { least, overhead } from './least.ts'
import type { Scheduler } from './scheduler.ts'

/** `turns`: shared memory for turns among equals; null: the first. */
export function lc(turns: Int32Array | null): Scheduler {
  return least('lc', { of: overhead, weighted: false }, turns)
}
