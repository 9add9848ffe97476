/** Addresses as something to click on. */
import type { Address } from '../site/plan.ts'

const EVERYWHERE = new Set(['::', '0.0.0.0'])
const HTTP_PORT = 80

/** `http://localhost:8080/` where we listen everywhere; `unix:/run/site.sock` for a unix socket. */
export function urlsOf(addresses: readonly Address[]): string[] {
  return addresses.map((address) => {
    if (address.kind === 'unix') return `unix:${address.path}`
    const name = EVERYWHERE.has(address.host) ? 'localhost' : address.host
    const host = name.includes(':') ? `[${name}]` : name
    return `http://${host}${address.port === HTTP_PORT ? '' : `:${address.port}`}/`
  })
}
