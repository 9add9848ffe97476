/**
 * uWSGI's `spare`: keeps some workers free. Too few of them for longer than `overload` cycles: `step` more.
 * Too many, `overload` cycles after the last change: one less. Unlike there, requests that wait while nothing
 * at all is finished for a cycle, or for as long as one, are not left waiting for those cycles.
 */
import type { Load, Scaler, ScalerPlan } from './scaler.ts'

export function spare(plan: Pick<ScalerPlan, 'spare' | 'step' | 'overload'>): Scaler {
  let overloaded = 0
  let idle = 0
  return {
    decide({ workers, busy, waiting, served, delayMs, cycleMs }: Load, active: number): number {
      const free = waiting > 0 ? 0 : Math.max(0, workers - busy)
      if (free < plan.spare) {
        idle = 0
        const isUrgent = waiting > 0 && (served === 0 || delayMs >= cycleMs)
        if (++overloaded <= plan.overload && !isUrgent) return active
        overloaded = 0
        return active + plan.step
      }
      overloaded = Math.max(0, overloaded - 1)
      if (overloaded > 0 || free === plan.spare) {
        idle = 0
        return active
      }
      if (++idle < plan.overload) return active
      idle = 0
      return active - 1
    },
  }
}
