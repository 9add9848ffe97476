/** The gateways of a server thread: one for each protocol that the site listens for. */
import type { Gateway, GatewayOptions } from '../gateways/gateway.ts'
import { Http1Gateway } from '../gateways/http1/gateway.ts'
import type { RoutedExchange } from '../request/flow.ts'
import type { ListenerPlan, ListenScheme } from '../site/plan.ts'
import type { MailScheme, StreamScheme } from '../site/stream-plan.ts'

export class Gateways {
  readonly #options: GatewayOptions
  readonly #complain: (message: string) => void
  /** What takes connections that carry no requests; null: they do. */
  readonly #plain: (listener: ListenerPlan) => Gateway | null
  readonly #made = new Map<string | ListenerPlan, Gateway>()

  constructor(
    options: GatewayOptions,
    plain: (listener: ListenerPlan) => Gateway | null,
    complain: (message: string) => void,
  ) {
    this.#options = options
    this.#plain = plain
    this.#complain = complain
  }

  /** The gateway for a listener; listeners of one protocol share theirs. */
  async of(listener: ListenerPlan): Promise<Gateway> {
    const { name, scheme, proxyProtocol } = listener
    const carriesNone = listener.stream !== undefined || listener.mail !== undefined
    const key = carriesNone ? listener : proxyProtocol ? name : scheme
    const known = this.#made.get(key)
    if (known !== undefined) return known
    const plain =
      this.#plain(listener) ?? (await makeGateway(scheme as RequestScheme, this.#options))
    const gateway = proxyProtocol ? await this.#behindProxy(plain, name) : plain
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

/** What brings requests. */
type RequestScheme = Exclude<ListenScheme, StreamScheme | MailScheme>

/** Loaded when a listener speaks it: most sites speak one. */
async function makeGateway(scheme: RequestScheme, options: GatewayOptions): Promise<Gateway> {
  switch (scheme) {
    case 'http':
      return new Http1Gateway(options)
    case 'uwsgi':
    case 'puwsgi':
      return (await import('../gateways/uwsgi/gateway.ts')).uwsgi(options, scheme === 'puwsgi')
    case 'fastcgi':
      return (await import('../gateways/fastcgi/gateway.ts')).fastcgi(options)
    case 'scgi':
      return (await import('../gateways/scgi/gateway.ts')).scgi(options)
  }
}
