/** How a backend is asked by its own name. Pure. */
import type { Address } from '../../site/plan.ts'

/**
 * Host of a backend that is asked by its own name (RFC 9110 §7.2). `usualPort`: of its scheme, which goes
 * without saying.
 */
export function ownHost(address: Address, usualPort = 80): string {
  if (address.kind === 'unix') return 'localhost'
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return address.port === usualPort ? host : `${host}:${address.port}`
}
