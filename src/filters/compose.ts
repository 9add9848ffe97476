/**
 * Puts a route's filters before its handler, once, at load. A route without filters has its handler and
 * nothing else. A request meets them in this order, whatever the order in the site file:
 *
 *     limit ── allow, deny ── auth ──▶ handler
 */
import type { Handler } from '../request/exchange.ts'
import type { FiltersPlan } from '../site/filters-plan.ts'
import { access, judge } from './access.ts'
import { auth } from './auth.ts'
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
  const { auth: asks, access: lists } = plan
  const either = asks?.satisfy === 'any' && lists !== undefined
  if (asks !== undefined) made = auth(asks, made, host, either ? judge(lists) : null)
  if (lists !== undefined && !either) made = access(lists, made, host)
  for (const each of plan.limits?.toReversed() ?? []) made = limit(each, made, host)
  return made
}
