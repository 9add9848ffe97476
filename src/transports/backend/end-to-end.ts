/** Which fields pass through a proxy and which end at it (RFC 9110 §7.6.1), in both directions. Pure. */
import { type FieldList, parseFields } from '../../wire/fields.ts'
import { speaksOfTheVisitor } from '../../wire/forwarded.ts'

/**
 * Fields that speak of one connection, or of the framing that each side makes for itself. The two
 * Proxy-* fields speak to the proxy that asked for them (RFC 9110 §11.7), and no backend is one.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'transfer-encoding',
  'upgrade',
  'content-length',
])

/** Fields that would mislead when they come after the body (RFC 9110 §6.5.1): framing, routing, access. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'host',
  'expect',
  'trailer',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  'max-forwards',
  'authorization',
  'cookie',
  'set-cookie',
  'www-authenticate',
  'location',
  'via',
])

/** True for a field that must not be forwarded; `connection` holds the message's Connection options. */
export function endsHere(name: string, connection: readonly string[]): boolean {
  return HOP_BY_HOP.has(name) || (connection.length > 0 && connection.includes(name))
}

/** Calls `visit` with each field's name as it was written, its lower-case name and its value. */
export function eachField(
  list: FieldList & { readonly raw: string },
  visit: (written: string, name: string, value: string) => void,
): void {
  const { raw, names, values } = list
  let at = 0
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    visit(raw.slice(at, at + name.length), name, values[i]!)
    at = raw.indexOf('\r\n', at) + 2
  }
}

/** The trailer fields of `block` that may be forwarded; `most` bounds their number. */
export function forwardedTrailers(block: string, most: number): string {
  if (block === '') return ''
  const list = { raw: block, ...parseFields(block, most) }
  let kept = ''
  eachField(list, (written, name, value) => {
    if (endsHere(name, []) || NOT_IN_TRAILERS.has(name) || speaksOfTheVisitor(name)) return
    kept += `${written}: ${value}\r\n`
  })
  return kept
}
