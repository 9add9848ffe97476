/** Where a site listens, as something to click on or to copy into another server's configuration. */
import type { Address, ListenScheme, SitePlan } from '../site/plan.ts'

const EVERYWHERE = new Set(['::', '0.0.0.0'])
const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 }

export interface Listening {
  readonly scheme: ListenScheme
  /** With the port that the kernel chose where the plan has none. */
  readonly address: Address
}

/** A plan's listeners with the addresses of their open sockets, in the same order. */
export function listening(plan: SitePlan, addresses: readonly Address[]): Listening[] {
  return addresses.map((address, i) => ({ scheme: plan.listeners[i]?.scheme ?? 'http', address }))
}

/** `http://localhost:8080/` where we listen everywhere; `unix:/run/site.sock`, `uwsgi://localhost:3031`. */
export function urlsOf(listeners: readonly Listening[]): string[] {
  return listeners.map(({ scheme, address }) => {
    const isHttp = scheme === 'http' || scheme === 'https'
    const prefix = scheme === 'http' ? '' : `${scheme}://`
    if (address.kind === 'unix') return `${prefix}unix:${address.path}`
    const name = EVERYWHERE.has(address.host) ? 'localhost' : address.host
    const host = name.includes(':') ? `[${name}]` : name
    const port = address.port === PORTS[scheme] ? '' : `:${address.port}`
    return `${scheme}://${host}${port}${isHttp ? '/' : ''}`
  })
}
