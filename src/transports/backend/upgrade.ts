/** Requests that ask for another protocol on their connection (RFC 9110 §7.8). Pure. */
import type { Exchange } from '../../request/exchange.ts'
import { listMembers } from '../../wire/fields.ts'

/**
 * A tunnel of these would carry requests past every route and limit, so their upgrade is not passed
 * on: a server may always ignore it (RFC 9110 §7.8).
 */
const OPAQUE_PROTOCOL = /(?:^|[\s,])(?:h2c?|http|tls)(?:$|[\s,/])/i

/** True when the visitor asks for another protocol and may have it. */
export function offersUpgrade(exchange: Exchange): boolean {
  const { fields } = exchange
  return (
    fields.upgrade !== '' &&
    exchange.canUpgrade === true &&
    !fields.chunked &&
    fields.contentLength === 0 &&
    !OPAQUE_PROTOCOL.test(fields.upgrade)
  )
}

/** True when `protocol` (lower case) of a 101 is one that the visitor offered and we passed on. */
export function mayUpgradeTo(exchange: Exchange, protocol: string): boolean {
  const offered = (): string[] => listMembers(exchange.fields.upgrade)
  return protocol !== '' && offersUpgrade(exchange) && offered().includes(protocol)
}
