/** Serves one handler through the real gateway on a port of the kernel's choice, for tests. */
import { Http1Gateway } from '../../src/gateways/http1/gateway.ts'
import { accept } from '../../src/listen/accept.ts'
import { openSockets } from '../../src/listen/open.ts'
import { Counters } from '../../src/request/counters.ts'
import type { Handler } from '../../src/request/exchange.ts'
import { Flow } from '../../src/request/flow.ts'
import { Router } from '../../src/request/route.ts'
import type { RouteMatch } from '../../src/site/plan.ts'

export interface Served {
  readonly port: number
  close(): void
}

const LIMITS = { line: 8192, head: 32_768, fields: 100, body: 1_048_576, connections: 1000 }
const TIMEOUTS = {
  headMs: 10_000,
  bodyMs: 10_000,
  idleMs: 10_000,
  sendMs: 10_000,
  abandonMs: 1_000,
  stopMs: 1000,
}

/** `match`: where the handler is routed, a prefix by default. */
export async function serve(
  handler: Handler,
  match: RouteMatch = { kind: 'prefix', path: '/' },
): Promise<Served> {
  const plan = { kind: 'respond', status: 200, body: '', type: '', headers: {} } as const
  const route = { match, handler: plan, maxBody: 1_048_576, source: 'test' }
  const router = new Router([{ name: '*', routes: [route] }], () => handler)
  const counters = Counters.of(Counters.allocate(1), 0)
  const gateway = new Http1Gateway({
    flow: new Flow(router, counters, null),
    counters,
    limits: LIMITS,
    timeouts: TIMEOUTS,
    serverName: 'portico',
    dev: false,
  })
  const address = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const
  const open = await openSockets(
    { name: 'test', scheme: 'http', address, backlog: 128, proxyProtocol: false },
    1,
    false,
  )
  const acceptor = accept({
    on: { fd: open.fds[0]! },
    admit: () => gateway.admit(),
    connect: (socket) => gateway.connect(socket),
    ready: () => {},
    failed: (error) => {
      throw error
    },
  })
  return {
    port: open.address.kind === 'tcp' ? open.address.port : 0,
    close: () => {
      acceptor.close()
      gateway.close()
      handler.close?.()
    },
  }
}
