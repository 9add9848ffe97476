/** An HTTP/2 gateway with handlers of the test's own, on a port of the kernel's choice. */
import { afterEach } from 'vitest'
import { Http2Gateway } from '../../../src/gateways/http2/gateway.ts'
import type { Totals } from '../../../src/request/counters.ts'
import type { Http2Plan } from '../../../src/site/http2-plan.ts'
import { gatewayOptions, listening, type SiteOptions } from '../http1/site.ts'
import { Peer } from './peer.ts'

export interface Serving {
  readonly gateway: Http2Gateway
  readonly port: number
  totals(): Totals
  /** A visitor with its preface said; see Peer.at. */
  visitor(settings?: readonly (readonly [number, number])[], window?: boolean): Promise<Peer>
}

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

export async function serve(
  options: SiteOptions,
  http2: Partial<Http2Plan> = {},
): Promise<Serving> {
  const made = gatewayOptions(options)
  const gateway = new Http2Gateway({
    ...made,
    http2: { streams: 100, requests: 1_000_000, ...http2 },
    ...(options.tunnelMs === undefined ? {} : { tunnelMs: options.tunnelMs }),
  })
  const { port, close } = await listening(gateway)
  open.push(close)
  return {
    gateway,
    port,
    totals: made.totals,
    visitor: async (settings, window) => {
      const peer = await Peer.at(port, settings, window)
      open.push(() => peer.leave())
      return peer
    },
  }
}
