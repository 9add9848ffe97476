/** What came where another protocol is spoken. */
import { PorticoError } from '../errors.ts'

/**
 * BAD_PACKET for a first byte with which nothing of `protocol` begins: every HTTP request begins with a
 * capital letter, which is what people send by mistake. Else `reason`.
 */
export function wrongProtocol(first: number, protocol: string, reason: string): PorticoError {
  const http = first >= 0x41 && first <= 0x5a
  return new PorticoError('BAD_PACKET', http ? `this is HTTP, not ${protocol}` : reason)
}
