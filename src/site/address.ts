/** Addresses as people write them: where to listen, and where a pool's servers are. */
import { isIP } from 'node:net'
import type { Address } from './plan.ts'

export type ParsedAddress =
  | { readonly address: Address }
  | { readonly wrong: string; readonly expected: string }

/** `sun_path` holds 108 bytes with its closing NUL, 104 on BSD and macOS. */
export const LONGEST_SOCKET_PATH: number = process.platform === 'linux' ? 107 : 103

const LISTEN_FORMS = ':8080, 127.0.0.1:8080, [::1]:8080 or unix:/run/site.sock'
const TARGET_FORMS = 'host:port, http://host:port or unix:/run/app.sock'
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?$/

/** A listener. Without a host: both families, all interfaces. A socket's path is still as written. */
export function parseListen(text: string): ParsedAddress {
  const plain = withoutScheme(text)
  if (typeof plain !== 'string') return plain
  if (plain.startsWith('unix:')) return unix(plain)
  const short = /^\d+$/.test(plain) ? `:${plain}` : plain
  const parsed = tcp(short.replace(/\/$/, ''), text.startsWith('http://'), LISTEN_FORMS)
  if ('wrong' in parsed || parsed.address.kind === 'unix') return parsed
  const { host, port } = parsed.address
  return { address: { kind: 'tcp', host: host === '' || host === '*' ? '::' : host, port } }
}

/** A server of a pool. */
export function parseTarget(text: string): ParsedAddress {
  const plain = withoutScheme(text)
  if (typeof plain !== 'string') return plain
  if (plain.startsWith('unix:')) return unix(plain)
  const [authority = '', ...path] = plain.split('/')
  if (path.join('') !== '') {
    return { wrong: 'the address of a server has no path', expected: TARGET_FORMS }
  }
  const parsed = tcp(authority, text.startsWith('http://'), TARGET_FORMS)
  if ('wrong' in parsed || parsed.address.kind === 'unix') return parsed
  const { host, port } = parsed.address
  if (host === '' || host === '*')
    return { wrong: 'this address names no host', expected: TARGET_FORMS }
  if (port === 0) return { wrong: 'a server has no port 0', expected: 'a port from 1 to 65535' }
  return parsed
}

/** Whether a `proxy:` value means an address rather than a pool's name. */
export function looksLikeAddress(text: string): boolean {
  return /[:/]/.test(text)
}

function withoutScheme(text: string): string | { wrong: string; expected: string } {
  const [, scheme] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text) ?? []
  if (scheme === undefined) return text
  if (scheme === 'http') return text.slice('http://'.length)
  return { wrong: `this version speaks http only, not ${scheme}`, expected: 'http:// or no scheme' }
}

function unix(text: string): ParsedAddress {
  const path = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.includes('\0')) {
    return { wrong: 'this address names no socket', expected: 'unix:/run/site.sock' }
  }
  return { address: { kind: 'unix', path } }
}

function tcp(text: string, hasScheme: boolean, expected: string): ParsedAddress {
  const [, bracketed, name, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d+))?$/.exec(text) ?? []
  const host = bracketed ?? name
  if (host === undefined) {
    const wrong = isIP(text) === 6 ? 'an IPv6 address needs brackets' : 'not an address'
    return { wrong, expected }
  }
  if (bracketed !== undefined && isIP(bracketed) !== 6)
    return { wrong: 'not an IPv6 address', expected }
  if (name !== undefined && name !== '' && name !== '*' && !isHost(name)) {
    return { wrong: 'not a host name', expected }
  }
  if (digits === undefined && !hasScheme) return { wrong: 'this address has no port', expected }
  const port = digits === undefined ? 80 : Number(digits)
  if (port > 65_535) return { wrong: 'there is no such port', expected: 'a port up to 65535' }
  return { address: { kind: 'tcp', host, port } }
}

function isHost(name: string): boolean {
  // Digits and dots alone are an IPv4 address, or a mistyped one: no such name exists.
  return /^[\d.]+$/.test(name) ? isIP(name) === 4 : name.length <= 253 && HOST_NAME.test(name)
}
