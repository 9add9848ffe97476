/**
 * uWSGI's `backlog`: more than `overload` requests in the queue: `step` more workers; none: one less.
 */
import type { Load, Scaler, ScalerPlan } from './scaler.ts'

export function backlog(plan: Pick<ScalerPlan, 'step' | 'overload'>): Scaler {
  return {
    decide({ waiting }: Load, active: number): number {
      if (waiting > plan.overload) return active + plan.step
      return waiting === 0 ? active - 1 : active
    },
  }
}
