/** Addresses as people write them: where to listen, and where a pool's servers are. */
import { isIP } from 'node:net'
import type { Address, ListenScheme, TargetScheme } from './plan.ts'

interface Wrong {
  readonly wrong: string
  readonly expected: string
}

type Found = { readonly address: Address } | Wrong

export type ParsedAddress<Scheme extends string> =
  | { readonly scheme: Scheme; readonly address: Address }
  | Wrong

const LISTEN_SCHEMES: readonly ListenScheme[] = [
  'http',
  'https',
  'uwsgi',
  'puwsgi',
  'fastcgi',
  'scgi',
  'tcp',
  'tls',
  'udp',
  'imap',
  'pop3',
  'smtp',
]
const TARGET_SCHEMES: readonly TargetScheme[] = [
  'http',
  'https',
  'h2',
  'h2c',
  'uwsgi',
  'puwsgi',
  'fastcgi',
  'scgi',
  'tcp',
  'udp',
]
/** The port of a URL that names none; the others have none of their own. */
const USUAL_PORTS: Readonly<Record<string, number>> = {
  http: 80,
  https: 443,
  h2: 443,
  h2c: 80,
}

/** `sun_path` holds 108 bytes with its closing NUL, 104 on BSD and macOS. */
export const LONGEST_SOCKET_PATH: number = process.platform === 'linux' ? 107 : 103

const LISTEN_FORMS = ':8080, 127.0.0.1:8080, [::1]:8080 or unix:/run/site.sock'
const TARGET_FORMS = 'host:port, https://host:port, uwsgi://host:port or unix:/run/app.sock'
const HOST_NAME = /^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?$/

/** A listener. Without a host: both families, all interfaces. A socket's path is still as written. */
export function parseListen(text: string): ParsedAddress<ListenScheme> {
  return withScheme(text, LISTEN_SCHEMES, (plain, usualPort) => {
    const short = /^\d+$/.test(plain) ? `:${plain}` : plain
    const parsed = tcp(short.replace(/\/$/, ''), usualPort, LISTEN_FORMS)
    if ('wrong' in parsed || parsed.address.kind === 'unix') return parsed
    const { host, port } = parsed.address
    return { address: { kind: 'tcp', host: host === '' || host === '*' ? '::' : host, port } }
  })
}

/** A server of a pool. */
export function parseTarget(text: string): ParsedAddress<TargetScheme> {
  return withScheme(text, TARGET_SCHEMES, (plain, usualPort) => {
    const [authority = '', ...path] = plain.split('/')
    if (path.join('') !== '') {
      return { wrong: 'the address of a server has no path', expected: TARGET_FORMS }
    }
    const parsed = tcp(authority, usualPort, TARGET_FORMS)
    if ('wrong' in parsed || parsed.address.kind === 'unix') return parsed
    const { host, port } = parsed.address
    if (host === '' || host === '*')
      return { wrong: 'this address names no host', expected: TARGET_FORMS }
    if (port === 0) return { wrong: 'a server has no port 0', expected: 'a port from 1 to 65535' }
    return parsed
  })
}

/** Whether a `proxy:` value means an address rather than a pool's name. */
export function looksLikeAddress(text: string): boolean {
  return /[:/]/.test(text)
}

/** `rest` reads what is no unix socket; `usualPort`: of a URL without one; 0: it needs one. */
function withScheme<Scheme extends string>(
  text: string,
  schemes: readonly Scheme[],
  rest: (plain: string, usualPort: number) => Found,
): ParsedAddress<Scheme> {
  const [prefix = '', name = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text) ?? []
  const asked = prefix === '' ? 'http' : name
  const scheme = schemes.find((each) => each === asked)
  if (scheme === undefined) {
    return {
      wrong: `this version does not speak ${asked}`,
      expected: `${schemes.map((each) => `${each}://`).join(', ')} or no scheme`,
    }
  }
  const plain = text.slice(prefix.length)
  // `uwsgi:///run/app.sock` is how some write `uwsgi://unix:/run/app.sock`.
  const isSocket = plain.startsWith('unix:') || (prefix !== '' && plain.startsWith('/'))
  const found = isSocket ? unix(plain) : rest(plain, prefix === '' ? 0 : (USUAL_PORTS[scheme] ?? 0))
  return 'wrong' in found ? found : { scheme, address: found.address }
}

function unix(text: string): Found {
  const path = text.replace(/^unix:/, '').replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.includes('\0')) {
    return { wrong: 'this address names no socket', expected: 'unix:/run/site.sock' }
  }
  return { address: { kind: 'unix', path } }
}

function tcp(text: string, usualPort: number, expected: string): Found {
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
  if (digits === undefined && usualPort === 0) {
    return { wrong: 'this address has no port', expected }
  }
  const port = digits === undefined ? usualPort : Number(digits)
  if (port > 65_535) return { wrong: 'there is no such port', expected: 'a port up to 65535' }
  return { address: { kind: 'tcp', host, port } }
}

function isHost(name: string): boolean {
  // Digits and dots alone are an IPv4 address, or a mistyped one: no such name exists.
  return /^[\d.]+$/.test(name) ? isIP(name) === 4 : name.length <= 253 && HOST_NAME.test(name)
}
