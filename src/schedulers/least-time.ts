/**
 * Least time: who will probably answer first: how long it takes on average, times what it would have in
 * hand, for its weight. One that is not known yet is tried at once, by one request.
 */
import { least } from './least.ts'
import type { Backend, Scheduler } from './scheduler.ts'

/** Worse than any that is known. */
const UNKNOWN = 1e9

/** `cells`: shared memory for turns among equals. */
export function leastTime(cells: Int32Array): Scheduler {
  return { ...least('least-time', { of: expected, weighted: true }, cells), timed: true }
}

function expected({ latencyMs, active }: Backend): number {
  if (latencyMs === 0) return active * UNKNOWN
  return latencyMs * (active + 1)
}
