/** The URL of a request as the URL standard writes it, mostly without asking a URL parser. Pure. */
import { fieldValue } from '../wire/fields.ts'
import { Memo } from '../wire/memo.ts'
import type { FetchExchange } from './exchange.ts'

/**
 * Targets that a URL parser leaves as they are: no dot segment (also not as `%2e`), nothing that it
 * would encode, no backslash.
 */
const PLAIN = /^\/(?:[\w\-~!$&()*+,;=:@%/]|\.(?![./?]|$|%2e))*(?:\?[\w\-.~!$&()*+,;=:@%/?]*)?$/i
const DOT_SEGMENT = /\/(?:\.|%2e)/i

/** `scheme://authority` of each Host that was seen; visitors use few. */
const origins = new Memo<string>(256)

/** Never throws: what no URL can hold is asked for at `localhost`. */
export function urlOf(exchange: FetchExchange): string {
  const { line, peer } = exchange
  const origin = originOf(peer.scheme, hostOf(exchange))
  // `*` of OPTIONS is the server itself.
  if (line.origin === '*') return `${origin}/`
  if (PLAIN.test(line.origin) && !DOT_SEGMENT.test(line.origin)) return origin + line.origin
  return URL.parse(origin + line.origin)?.href ?? `${origin}/`
}

function hostOf({ line, fields, peer }: FetchExchange): string {
  if (line.host !== '') return line.hostPort < 0 ? line.host : `${line.host}:${line.hostPort}`
  const host = fieldValue(fields, 'host') ?? ''
  if (host !== '') return host
  const address = peer.localAddress.includes(':') ? `[${peer.localAddress}]` : peer.localAddress
  return address === '' ? 'localhost' : `${address}:${peer.localPort}`
}

function originOf(scheme: string, host: string): string {
  const key = `${scheme}://${host}`
  const known = origins.get(key)
  if (known !== undefined) return known
  const origin = URL.parse(key)?.origin ?? `${scheme}://localhost`
  return origins.put(key, origin, () => Buffer.from(key, 'latin1').toString('latin1'))
}
