/** TLS before a gateway, for listeners that have it. */
import { PorticoError } from '../errors.ts'
import type { Gateway, GatewayOptions } from '../gateways/gateway.ts'
import { encodeHead, join } from '../gateways/http1/encode.ts'
import { TlsGateway } from '../gateways/tls.ts'
import { errorPage } from '../request/error-page.ts'
import type { ListenerPlan } from '../site/plan.ts'
import type { Choice } from '../tls/contexts.ts'
import type { ServerTls } from '../tls/server.ts'

/** What a server thread has for its listeners with TLS. */
export interface TlsHost {
  readonly tls: ServerTls
  /** What a CA is shown that comes for the proof of a name; null: nobody has asked for one. */
  readonly challenge: (serverName: string) => Promise<Choice | null>
  /** Has a certificate obtained for a name; never rejects. Null: that is not done here. */
  readonly demand: ((serverName: string) => Promise<void>) | null
}

/** `protocols`: who takes connections by what ALPN chose; `otherwise`: who takes the others. */
export function secured(
  listener: ListenerPlan,
  protocols: ReadonlyMap<string, Gateway>,
  otherwise: Gateway,
  host: TlsHost,
  { counters, limits, serverName }: GatewayOptions,
  complain: (message: string) => void,
): TlsGateway {
  const speaksHttp = listener.scheme === 'https'
  return new TlsGateway({
    plan: listener.tls!,
    contexts: host.tls.contexts(listener)!,
    protocols,
    otherwise,
    challenge: host.challenge,
    demand: listener.tls!.set === '' ? host.demand : null,
    plainAnswer: speaksHttp ? plainAnswer(serverName) : new Uint8Array(0),
    counts: counters,
    most: limits.connections,
    complain: (message) => complain(`listen ${listener.name}: ${message}`),
  })
}

/** For who speaks plain HTTP where there is TLS. */
function plainAnswer(serverName: string): Uint8Array {
  const { head, body } = errorPage(new PorticoError('PLAIN_ON_TLS'), null, false)
  return join(encodeHead(head, body.length, 'Connection: close\r\n', serverName), body)
}
