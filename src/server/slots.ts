import type { AppPlan } from '../site/plan.ts'

/**
 * Slots for an application's workers: twice as many as workers, so that who is to take over from one can
 * be there before that one leaves. A service has workers of its own.
 */
export function workerSlots(app: AppPlan): number {
  const serves = app.kind === 'php' || app.kind === 'container'
  return serves ? app.workers : 2 * app.workers
}
