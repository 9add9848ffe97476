/**
 * Puts a route's filters before its handler, once, at load. A route without filters has its handler and
 * nothing else. A request meets them in this order, whatever the order in the site file:
 *
 *     headers ── cors ── errors ── maintenance ── limit ── allow, deny ── client-certificate ── auth
 *             ── request-headers ── rewrite ── compress ──▶ handler
 *
 * What stands further out sees every answer of what stands further in: `headers` have the last word on
 * those of `cors`, and both are on the 429 of `limit`.
 */
import type { Handler } from '../request/exchange.ts'
import type { Doors } from '../request/route.ts'
import type { FiltersPlan } from '../site/filters-plan.ts'
import { access, judge } from './access.ts'
import { forwardAuth } from './auth/forward.ts'
import { jwt } from './auth/jwt.ts'
import { auth } from './auth.ts'
import { certificate } from './certificate.ts'
import { compress } from './compress.ts'
import { cors } from './cors.ts'
import { errors } from './errors.ts'
import type { FilterHost } from './filter.ts'
import { headers } from './headers.ts'
import { limit } from './limit.ts'
import { closed, maintenance } from './maintenance.ts'
import { requestHeaders } from './request-headers.ts'
import { rewrite } from './rewrite.ts'
import { unfiltered } from './unfiltered.ts'

/** `plan`: undefined where the route has no filters. */
export function filtered(
  plan: FiltersPlan | undefined,
  handler: Handler,
  host: FilterHost,
): Handler {
  return doors(plan, handler, host).open
}

/** The same, with what takes its place when somebody says `portico maintenance on`. */
export function doors(plan: FiltersPlan | undefined, handler: Handler, host: FilterHost): Doors {
  if (plan === undefined) return unfiltered(handler, host)
  const inner = asked(plan, changed(plan, handler, host), host)
  const { maintenance: closes } = plan
  const open = closes ? maintenance(closes, inner, host) : inner
  const shut = closes === false ? open : closed(closes, inner, host)
  return { open: told(plan, open, host), shut: told(plan, shut, host) }
}

/** What changes a request for who answers it, and the answer’s body. */
function changed(plan: FiltersPlan, handler: Handler, host: FilterHost): Handler {
  let made = handler
  if (plan.compress !== undefined) made = compress(plan.compress, made, host)
  if (plan.rewrite !== undefined) made = rewrite(plan.rewrite, made, host)
  if (plan.requestHeaders !== undefined) made = requestHeaders(plan.requestHeaders, made, host)
  return made
}

/** Who comes in. */
function asked(plan: FiltersPlan, handler: Handler, host: FilterHost): Handler {
  let made = handler
  const { access: lists } = plan
  const satisfies = (plan.auth ?? plan.forward ?? plan.jwt)?.satisfy
  const either = satisfies === 'any' && lists !== undefined
  const exempt = either ? judge(lists) : null
  if (plan.auth !== undefined) made = auth(plan.auth, made, host, exempt)
  if (plan.forward !== undefined) made = forwardAuth(plan.forward, made, host, exempt)
  if (plan.jwt !== undefined) made = jwt(plan.jwt, made, host, exempt)
  if (plan.certificate === true) made = certificate(made)
  if (lists !== undefined && !either) made = access(lists, made, host)
  for (const each of plan.limits?.toReversed() ?? []) made = limit(each, made, host)
  return made
}

/** What every answer says, also those of the filters. */
function told(plan: FiltersPlan, handler: Handler, host: FilterHost): Handler {
  let made = handler
  if (plan.errors !== undefined) made = errors(plan.errors, made, host)
  if (plan.cors !== undefined) made = cors(plan.cors, made, host)
  if (plan.headers !== undefined) made = headers(plan.headers, made, host)
  return made
}
