/** A gateway with handlers of the test's own, in this process: over real sockets, or without any. */
import type { Gateway, GatewayOptions } from '../../../src/gateways/gateway.ts'
import { Http1Gateway } from '../../../src/gateways/http1/gateway.ts'
import { accept } from '../../../src/listen/accept.ts'
import { openSockets } from '../../../src/listen/open.ts'
import { Counters, type Totals } from '../../../src/request/counters.ts'
import type { Handler } from '../../../src/request/exchange.ts'
import { Flow, type RoutedExchange } from '../../../src/request/flow.ts'
import type { AccessLog } from '../../../src/request/log.ts'
import { Router } from '../../../src/request/route.ts'
import type { LimitsPlan, RoutePlan, TimeoutsPlan } from '../../../src/site/plan.ts'

export interface SiteOptions {
  /** Handlers by path: a prefix when it ends in `/`, else exact. */
  readonly routes: Readonly<Record<string, Handler>>
  readonly limits?: Partial<LimitsPlan>
  readonly timeouts?: Partial<TimeoutsPlan>
  readonly log?: AccessLog
  readonly dev?: boolean
  readonly tunnelMs?: number
  /** Called with the method of every request that begins. */
  readonly onBegin?: (method: string) => void
  /** Bodies allowed by path, where they differ from the default. */
  readonly maxBody?: Readonly<Record<string, number>>
}

export const LIMITS: LimitsPlan = {
  line: 8192,
  head: 16_384,
  fields: 50,
  body: 1_048_576,
  connections: 10_000,
}

const TIMEOUTS: TimeoutsPlan = {
  headMs: 10_000,
  bodyMs: 10_000,
  idleMs: 10_000,
  sendMs: 10_000,
  abandonMs: 1_000,
  leaveMs: 0,
  stopMs: 1000,
}

class WatchedFlow extends Flow {
  readonly #onBegin: (method: string) => void

  constructor(router: Router, counters: Counters, options: SiteOptions) {
    super(router, counters, options.log ?? null)
    this.#onBegin = options.onBegin ?? (() => {})
  }

  override begin(exchange: RoutedExchange): void {
    this.#onBegin(exchange.line.method)
    super.begin(exchange)
  }
}

export interface Site {
  readonly gateway: Http1Gateway
  totals(): Totals
  close(): void
}

export interface ListeningSite extends Site {
  readonly port: number
  /** Accepts no more. */
  stopAccepting(): void
}

/** What any gateway is made of. */
export function gatewayOptions(options: SiteOptions): GatewayOptions & { totals(): Totals } {
  const memory = Counters.allocate(1)
  const counters = Counters.of(memory, 0)
  const limits = { ...LIMITS, ...options.limits }
  const made: Handler[] = []
  const routes = Object.entries(options.routes).map(([path, handler]): RoutePlan => {
    made.push(handler)
    return {
      match: { kind: path.endsWith('/') ? 'prefix' : 'exact', path },
      handler: { kind: 'respond', status: 200, body: '', type: '', headers: {} },
      maxBody: options.maxBody?.[path] ?? limits.body,
      source: 'test',
    }
  })
  const router = new Router([{ name: '*', routes }], () => made.shift()!)
  return {
    flow: new WatchedFlow(router, counters, options),
    counters,
    limits,
    timeouts: { ...TIMEOUTS, ...options.timeouts },
    serverName: 'portico',
    dev: options.dev ?? false,
    totals: () => Counters.read(memory),
  }
}

/** A gateway that connections can be given to. */
export function site(options: SiteOptions): Site {
  const made = gatewayOptions(options)
  const gateway = new Http1Gateway({
    ...made,
    ...(options.tunnelMs === undefined ? {} : { tunnelMs: options.tunnelMs }),
  })
  return { gateway, totals: made.totals, close: () => gateway.close() }
}

/** The same on a port of the kernel's choice. */
export async function listeningSite(options: SiteOptions): Promise<ListeningSite> {
  const base = site(options)
  return { ...base, ...(await listening(base.gateway)) }
}

/** Any gateway on a port of the kernel's choice. */
export async function listening(
  gateway: Gateway,
): Promise<Pick<ListeningSite, 'port' | 'stopAccepting' | 'close'>> {
  const address = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const
  const open = await openSockets(
    { name: 'test', scheme: 'http', address, backlog: 4096, proxyProtocol: false },
    1,
    false,
  )
  const ready = Promise.withResolvers<void>()
  const acceptor = accept({
    on: { fd: open.fds[0]! },
    admit: () => gateway.admit(),
    connect: (socket) => gateway.connect(socket),
    ready: () => ready.resolve(),
    failed: (error) => ready.reject(error),
  })
  await ready.promise
  return {
    port: open.address.kind === 'tcp' ? open.address.port : 0,
    stopAccepting: () => acceptor.close(),
    close: () => {
      acceptor.close()
      gateway.close()
    },
  }
}
