/** What a route to an application says of its requests. */
import type { AppHandlerPlan, CommonAppPlan, DeadlinesPlan } from '../site/plan.ts'

export type AppRoute = Pick<AppHandlerPlan, 'deadlines' | 'urgent'>

/** A route that says nothing of its own. */
export const USUAL_ROUTE: AppRoute = { deadlines: null, urgent: false }

/** Urgent requests that may wait in one thread, whatever `queue` says. */
export const MOST_URGENT = 100

/** Of requests whose route has none of its own. */
export function usualDeadlines(plan: CommonAppPlan): DeadlinesPlan {
  const { softDeadlineMs: softMs, deadlineMs: hardMs, queueDeadlineMs: queueMs } = plan
  return { softMs, hardMs, queueMs }
}
