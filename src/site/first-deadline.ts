/** When a request of an application is first looked at for being slow. */
import type { AppPlan, DeadlinesPlan, SitePlan } from './plan.ts'

/** The shortest deadline of the application and its routes, soft or hard, ms; 0: there is none. */
export function firstDeadline(plan: SitePlan, app: AppPlan): number {
  const usual: DeadlinesPlan = {
    softMs: app.softDeadlineMs,
    hardMs: app.deadlineMs,
    queueMs: app.queueDeadlineMs,
  }
  const routes = plan.hosts.flatMap(({ routes }) => routes.map(({ handler }) => handler))
  const own = routes.flatMap((handler) =>
    handler.kind === 'app' && handler.app === app.name ? [handler.deadlines ?? usual] : [],
  )
  const all = [usual, ...own].flatMap(({ softMs, hardMs }) => [softMs, hardMs])
  const bounds = all.filter((ms) => ms > 0)
  return bounds.length === 0 ? 0 : Math.min(...bounds)
}
