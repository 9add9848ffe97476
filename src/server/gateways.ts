/** The gateways of a server thread: one for each protocol that the site listens for. */
import type { Gateway, GatewayOptions } from '../gateways/gateway.ts'
import { Http1Gateway } from '../gateways/http1/gateway.ts'
import type { Http2Gateway } from '../gateways/http2/gateway.ts'
import type { MailGateway } from '../mail/gateway.ts'
import type { RoutedExchange } from '../request/flow.ts'
import type { ListenerPlan, ListenScheme } from '../site/plan.ts'
import type { MailScheme, StreamScheme } from '../site/stream-plan.ts'
import type { TlsHost } from './secured.ts'

export class Gateways {
  readonly #options: GatewayOptions
  readonly #complain: (message: string) => void
  /** What takes connections that carry no requests; null: they do. */
  readonly #plain: (listener: ListenerPlan) => Gateway | null
  /** Null: no listener has TLS. */
  readonly #tls: TlsHost | null
  readonly #made = new Map<string | ListenerPlan, Gateway>()

  constructor(
    options: GatewayOptions,
    plain: (listener: ListenerPlan) => Gateway | null,
    tls: TlsHost | null,
    complain: (message: string) => void,
  ) {
    this.#options = options
    this.#plain = plain
    this.#tls = tls
    this.#complain = complain
  }

  /** The gateway for a listener; listeners of one protocol share theirs. */
  async of(listener: ListenerPlan): Promise<Gateway> {
    const { name, scheme, proxyProtocol, http2 = true } = listener
    const carriesNone = listener.stream !== undefined || listener.mail !== undefined
    const isOwn = carriesNone || listener.tls !== undefined
    const key = isOwn ? listener : proxyProtocol || !http2 ? name : scheme
    const known = this.#made.get(key)
    if (known !== undefined) return known
    const plain =
      this.#plain(listener) ?? (await makeGateway(scheme as RequestScheme, this.#options, http2))
    const inner = listener.tls === undefined ? plain : await this.#secured(listener, plain, http2)
    const gateway = proxyProtocol ? await this.#behindProxy(inner, name) : inner
    this.#made.set(key, gateway)
    return gateway
  }

  /** `done` is called when none has a connection left. */
  drain(done: () => void): void {
    let left = this.#made.size
    if (left === 0) return done()
    for (const gateway of this.#made.values()) {
      gateway.drain(() => {
        if (--left === 0) done()
      })
    }
  }

  /** Every exchange that is not over. */
  eachExchange(visit: (exchange: RoutedExchange) => void): void {
    for (const gateway of this.#made.values()) gateway.eachExchange(visit)
  }

  close(): void {
    for (const gateway of this.#made.values()) gateway.close()
  }

  /** For a listener with `tls`. */
  async #secured(listener: ListenerPlan, plain: Gateway, http2: boolean): Promise<Gateway> {
    const { secured } = await import('./secured.ts')
    const protocols = new Map<string, Gateway>()
    if (listener.scheme === 'https') {
      if (http2) protocols.set('h2', await http2Gateway(this.#options))
      for (const name of HTTP1) protocols.set(name, plain)
    }
    const tls = secured(listener, protocols, plain, this.#tls!, this.#options, this.#complain)
    if (listener.mail?.startTls !== true) return tls
    const { StartTls } = await import('../mail/start-tls.ts')
    return new StartTls(plain as MailGateway, tls)
  }

  /** For a listener with `proxy-protocol: true`. */
  async #behindProxy(inner: Gateway, listener: string): Promise<Gateway> {
    const { ProxiedGateway } = await import('../gateways/proxied.ts')
    const { timeouts, limits } = this.#options
    return new ProxiedGateway(inner, {
      headMs: timeouts.headMs,
      most: limits.connections,
      complain: (error, address) =>
        this.#complain(`listen ${listener}: ${address}: ${error.message}`),
    })
  }
}

/** What ALPN calls HTTP/1. */
const HTTP1 = ['http/1.1', 'http/1.0']

/** What brings requests. */
type RequestScheme = Exclude<ListenScheme, StreamScheme | MailScheme>

/** Loaded when a listener speaks it: most sites speak one. */
async function makeGateway(
  scheme: RequestScheme,
  options: GatewayOptions,
  http2: boolean,
): Promise<Gateway> {
  switch (scheme) {
    case 'https':
      return new Http1Gateway(options)
    case 'http':
      return new Http1Gateway(
        http2 ? { ...options, loadHttp2: () => http2Gateway(options) } : options,
      )
    case 'uwsgi':
    case 'puwsgi':
      return (await import('../gateways/uwsgi/gateway.ts')).uwsgi(options, scheme === 'puwsgi')
    case 'fastcgi':
      return (await import('../gateways/fastcgi/gateway.ts')).fastcgi(options)
    case 'scgi':
      return (await import('../gateways/scgi/gateway.ts')).scgi(options)
  }
}

export async function http2Gateway(options: GatewayOptions): Promise<Http2Gateway> {
  const { Http2Gateway } = await import('../gateways/http2/gateway.ts')
  return new Http2Gateway(options)
}
