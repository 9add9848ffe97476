/**
 * uWSGI's `spare`: keeps some workers free. Too few of them for longer than `overload` cycles: `step` more.
 * Too many, `overload` cycles after the last change: one less.
 */
import type { Load, Scaler, ScalerPlan } from './scaler.ts'

export function spare(plan: Pick<ScalerPlan, 'spare' | 'step' | 'overload'>): Scaler {
  let overloaded = 0
  let idle = 0
  return {
    decide({ workers, busy, waiting }: Load, active: number): number {
      const free = waiting > 0 ? 0 : Math.max(0, workers - busy)
      if (free < plan.spare) {
        idle = 0
        if (++overloaded <= plan.overload) return active
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
