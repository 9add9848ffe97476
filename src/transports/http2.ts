/** HTTP/2 to one backend (RFC 9113): over TLS (`h2`), or by prior knowledge (`h2c`). */
import type { TargetPlan } from '../site/plan.ts'
import type { Opener } from './backend/open.ts'
import { http1 } from './http1.ts'
import { Http2Connections, type Http2Settings } from './http2/connections.ts'
import type { Transport } from './transport.ts'

/** `openers`: for each protocol, as ALPN names it; null: connections are plain. */
export function http2(
  target: Pick<TargetPlan, 'name' | 'address' | 'scheme'>,
  settings: Http2Settings,
  openers: { readonly h2: Opener; readonly http1: Opener } | null,
): Transport {
  const scheme = target.scheme === 'h2' ? 'https' : 'http'
  const { tally: _, ...uncounted } = settings
  const upgrades = http1(
    { ...target, scheme },
    openers === null ? uncounted : { ...uncounted, opener: openers.http1 },
  )
  const own = openers === null ? settings : { ...settings, opener: openers.h2 }
  return new Http2Connections(target, own, upgrades)
}
