/**
 * What proxies say of a visitor: X-Forwarded-For, -Proto, -Host, X-Real-IP, Forwarded (RFC 7239) and
 * Client-Cert (RFC 9440).
 * Pure. Whether it is believed is not decided here.
 */
import { isIP } from 'node:net'
import { type FieldList, fieldValue } from './fields.ts'

const X = 0x78
const F = 0x66
const C = 0x63

/**
 * True for what only a trusted proxy may say about a visitor. Backends that know fields as CGI
 * variables take `X_Forwarded_For` for `X-Forwarded-For`, and PHP `X.Forwarded.For`: neither is a way around.
 */
export function speaksOfTheVisitor(name: string): boolean {
  // Hot: asked of every field, and nearly all begin otherwise.
  const first = name.charCodeAt(0)
  if (first !== X && first !== F && first !== C) return false
  const plain = /[._]/.test(name) ? name.replace(/[._]/g, '-') : name
  return (
    plain.startsWith('x-forwarded-') ||
    plain === 'forwarded' ||
    plain === 'x-real-ip' ||
    plain === 'client-cert' ||
    plain === 'client-cert-chain'
  )
}

export interface Forwarded {
  /** Addresses, the visitor's first, each told by the next one; '' for what is no address. */
  readonly hops: readonly string[]
  /** What the last proxy said of the scheme, lower case, else ''. */
  readonly scheme: string
}

/** Hops beyond these are not looked at. */
const MOST_HOPS = 64

/** Reads the fields: X-Forwarded-* where they are there, else Forwarded. */
export function readForwarded(fields: FieldList): Forwarded {
  const chain = fieldValue(fields, 'x-forwarded-for')
  const proto = fieldValue(fields, 'x-forwarded-proto')
  if (chain === undefined && proto === undefined) {
    const forwarded = fieldValue(fields, 'forwarded')
    if (forwarded !== undefined) return readElements(forwarded)
    const real = fieldValue(fields, 'x-real-ip')
    return { hops: real === undefined ? [] : [address(real)], scheme: '' }
  }
  const hops = chain === undefined ? [] : chain.split(',').slice(-MOST_HOPS).map(address)
  return { hops, scheme: (proto ?? '').split(',').at(-1)!.trim().toLowerCase() }
}

/** RFC 7239 §4: `for=192.0.2.60;proto=http, for="[2001:db8::1]:4711"`. */
function readElements(value: string): Forwarded {
  const hops: string[] = []
  let scheme = ''
  for (const element of value.split(',').slice(-MOST_HOPS)) {
    let hop = ''
    for (const pair of element.split(';')) {
      const [name = '', quoted = ''] = pair.split(/=(.*)/s)
      const text = quoted.trim().replace(/^"(.*)"$/s, '$1')
      const key = name.trim().toLowerCase()
      if (key === 'for') hop = address(text)
      else if (key === 'proto') scheme = text.toLowerCase()
    }
    hops.push(hop)
  }
  return { hops, scheme }
}

/** An address without brackets and port; '' for anything else (RFC 7239 §6: `unknown`, `_hidden`). */
function address(text: string): string {
  const trimmed = text.trim()
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(trimmed)?.[1] ?? trimmed
  if (isIP(bare) !== 0) return bare.toLowerCase()
  const [, host = ''] = /^([\d.]+):\d+$/.exec(bare) ?? []
  return isIP(host) === 4 ? host : ''
}
