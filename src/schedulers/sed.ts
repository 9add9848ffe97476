/** Shortest expected delay: who will have the fewest for its weight once it has this one, too. */
import { type Load, least } from './least.ts'
import type { Scheduler } from './scheduler.ts'

export const SED: Load = { of: ({ active }) => active + 1, weighted: true }

/** `turns`: shared memory for turns among equals; null: the first. */
export function sed(turns: Int32Array | null): Scheduler {
  return least('sed', SED, turns)
}
