/** How a backend is asked by its own name. Pure. */
import type { Address } from '../../site/plan.ts'

/** Host of a backend that is asked by its own name (RFC 9110 §7.2). */
export function ownHost(address: Address): string {
  if (address.kind === 'unix') return 'localhost'
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return address.port === 80 ? host : `${host}:${address.port}`
}
