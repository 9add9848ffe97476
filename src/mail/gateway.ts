/** The connections of one imap, pop3 or smtp listener in one server thread. */
import { hostname } from 'node:os'
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import type { Peer } from '../request/exchange.ts'
import type { MailPlan, MailScheme } from '../site/stream-plan.ts'
import type { ConnectionLine } from '../stream/log-line.ts'
import { PlainGateway, type PlainGatewayOptions } from '../stream/plain-gateway.ts'
import { AuthHttp } from './auth-http.ts'
import { MailConnection, type MailHost } from './connection.ts'

export interface MailGatewayOptions extends PlainGatewayOptions {
  readonly protocol: MailScheme
  readonly plan: MailPlan
}

export class MailGateway extends PlainGateway<MailConnection> implements MailHost {
  readonly protocol: MailScheme
  readonly plan: MailPlan
  readonly serverName: string
  readonly auth: AuthHttp
  /** STARTTLS: see start-tls.ts. */
  secure: MailHost['secure'] = null

  constructor(options: MailGatewayOptions) {
    super(options)
    const { protocol, plan } = options
    this.protocol = protocol
    this.plan = plan
    this.serverName = plan.serverName === '' ? hostname() : plan.serverName
    const { auth, authHeaders, authTimeoutMs } = plan
    this.auth = new AuthHttp({ url: auth, headers: authHeaders, timeoutMs: authTimeoutMs })
  }

  protected override create(socket: ByteStream, peer: Peer): MailConnection {
    return new MailConnection(socket, peer, this)
  }

  protected override enter(connection: MailConnection): Connection {
    return connection.entry
  }

  protected override details({ user }: MailConnection): Partial<ConnectionLine> {
    return { user }
  }

  override close(): void {
    super.close()
    this.auth.close()
  }
}
