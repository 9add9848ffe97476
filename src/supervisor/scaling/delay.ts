/**
 * By what visitors feel: the time that requests wait for a worker. Longer than `delayMs`: as many workers
 * as the work of the last cycle needs, and those that the queue needs to be done in that time. Far shorter,
 * for more than `overload` cycles, and the others would still not be full: one less.
 */
import type { Load, Scaler, ScalerPlan } from './scaler.ts'

/** A worker ends only where the waiting time is this part of the aim. */
const CALM = 0.25
/** And where the others would be at work for no more than this part of their time. */
const FULL = 0.7

export function delay(plan: Pick<ScalerPlan, 'step' | 'overload' | 'delayMs'>): Scaler {
  let calm = 0
  return {
    decide(load: Load, active: number): number {
      const { workers, busy, waiting, served, workMs, cycleMs, capacity, delayMs } = load
      // Those that take longer than a cycle have not been counted yet.
      const work = Math.max(
        workMs / (cycleMs * capacity),
        served === 0 ? Math.min(busy, workers) : 0,
      )
      if (delayMs > plan.delayMs) {
        calm = 0
        const each = served === 0 ? cycleMs : workMs / served
        const queue = (waiting * each) / (plan.delayMs * capacity)
        const needed = Math.ceil(work + queue)
        // The estimate may be wild while little is known: never more than twice as many at once.
        return Math.max(active + plan.step, Math.min(needed, active * 2))
      }
      if (waiting > 0 || delayMs > plan.delayMs * CALM || work > (active - 1) * FULL) {
        calm = 0
        return active
      }
      if (++calm <= plan.overload) return active
      calm = 0
      return active - 1
    },
  }
}
