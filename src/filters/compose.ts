/**
 * Puts a route's filters before its handler, once, at load. A route without filters has its handler and
 * nothing else. A request meets them in this order, whatever the order in the site file:
 *
 *     limit ── allow, deny ──▶ handler
 */
import type { Handler } from '../request/exchange.ts'
import type { FiltersPlan } from '../site/filters-plan.ts'
import { access } from './access.ts'
import type { FilterHost } from './filter.ts'
import { limit } from './limit.ts'

/** `plan`: undefined where the route has no filters. */
export function filtered(
  plan: FiltersPlan | undefined,
  handler: Handler,
  host: FilterHost,
): Handler {
  if (plan === undefined) return handler
  let made = handler
  if (plan.access !== undefined) made = access(plan.access, made, host)
  for (const each of plan.limits?.toReversed() ?? []) made = limit(each, made, host)
  return made
}
