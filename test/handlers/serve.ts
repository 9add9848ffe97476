/** Serves one handler through the real gateway on a port of the kernel's choice, for tests. */
import { Http1Gateway } from '../../src/gateways/http1/gateway.ts'
import type { Handler } from '../../src/request/exchange.ts'
import { Flow } from '../../src/request/flow.ts'
import { Router } from '../../src/request/route.ts'
import type { RouteMatch } from '../../src/site/plan.ts'
import { gatewayOptions, listening } from '../gateways/http1/site.ts'

export interface Served {
  readonly port: number
  close(): void
}

/** `match`: where the handler is routed, a prefix by default. */
export async function serve(
  handler: Handler,
  match: RouteMatch = { kind: 'prefix', path: '/' },
): Promise<Served> {
  const plan = { kind: 'respond', status: 200, body: '', type: '', headers: {} } as const
  const route = { match, handler: plan, maxBody: 1_048_576, source: 'test' }
  const router = new Router([{ name: '*', routes: [route] }], () => handler)
  const made = gatewayOptions({ routes: {}, limits: { head: 32_768, fields: 100 } })
  const flow = new Flow(router, made.counters, null)
  const { port, close } = await listening(new Http1Gateway({ ...made, flow }))
  return {
    port,
    close: () => {
      close()
      handler.close?.()
    },
  }
}
