/** HTTP/1.1 to one backend (RFC 9110, RFC 9112), over connections that are kept alive in each thread. */
import type { PoolPlan, TargetPlan } from '../site/plan.ts'
import { type ConnectionSettings, Connections } from './backend/connections.ts'
import { ownHost } from './backend/own-host.ts'
import { HttpDialect } from './http1/dialect.ts'
import { RequestHeads } from './http1/request-head.ts'
import type { Transport } from './transport.ts'

export type Http1Settings = ConnectionSettings & Pick<PoolPlan, 'preserveHost'>

/** The transport to `target`. */
export function http1(
  target: Pick<TargetPlan, 'name' | 'address'> & Partial<Pick<TargetPlan, 'scheme'>>,
  settings: Http1Settings,
): Transport {
  const usualPort = target.scheme === 'https' ? 443 : 80
  const heads = new RequestHeads(ownHost(target.address, usualPort), settings.preserveHost)
  return new Connections(target, settings, (receiver) => new HttpDialect(heads, receiver))
}
