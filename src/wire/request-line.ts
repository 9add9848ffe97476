/** The request line (RFC 9112 §3), its target and the path that routes see. Pure and strict. */
import { PorticoError } from '../errors.ts'
import { isToken } from './fields.ts'
import { parseHost } from './request-fields.ts'

/** A request line, parsed. Immutable: shared by requests with the same line. */
export interface RequestLine {
  readonly method: string
  /** As it came. */
  readonly target: string
  /**
   * The path, percent-decoded to bytes (one latin-1 character a byte), with `.` and `..` segments
   * resolved (RFC 3986 §5.2.4). Always begins with `/`, or is `*` for `OPTIONS *`.
   */
  readonly path: string
  /** After the first `?`, as it came; '' when absent. */
  readonly query: string
  /**
   * The target in origin form: what an upstream is asked for. As it came (`/a%20b?c`), except that dot
   * segments are resolved and backslashes encoded, which URL parsers take for slashes: who routes and who
   * answers must mean the same path.
   */
  readonly origin: string
  /** 0 or 1, of HTTP/1. */
  readonly minor: number
  /** What the visitor speaks, where that is not HTTP/1: what is said of versions is said in its words. */
  readonly protocol?: 'HTTP/2.0'
  /** Host and port of an absolute-form target, else '' and -1. It overrides the Host field (§3.2.2). */
  readonly host: string
  readonly hostPort: number
}

/** The visitor's protocol, as logs and CGI variables have it. */
export function protocolOf(line: RequestLine): string {
  return line.protocol ?? (line.minor === 1 ? 'HTTP/1.1' : 'HTTP/1.0')
}

const ABSOLUTE = /^[Hh][Tt][Tt][Pp][Ss]?:\/\/([^/?#]*)(.*)$/
/** Visible ASCII without `#`; browsers send a few characters that RFC 3986 would rather see encoded. */
const NOT_TARGET = /[^\x21\x22\x24-\x7e]/

/** Parses a request line without its CRLF. Throws 400, 501 or 505. */
export function parseRequestLine(line: string): RequestLine {
  const first = line.indexOf(' ')
  const last = line.lastIndexOf(' ')
  const method = first < 0 ? line : line.slice(0, first)
  if (!isToken(method)) throw new PorticoError('BAD_REQUEST_LINE', 'method')
  if (last <= first) throw new PorticoError('BAD_REQUEST_LINE', 'no HTTP version')
  const minor = parseVersion(line.slice(last + 1))
  const target = line.slice(first + 1, last)
  if (target === '' || NOT_TARGET.test(target)) throw new PorticoError('BAD_REQUEST_LINE', 'target')
  // RFC 9110 §9.3.6: we are no tunnel.
  if (method === 'CONNECT') throw new PorticoError('UNSUPPORTED_METHOD', 'CONNECT')

  let origin = target
  let host = ''
  let hostPort = -1
  if (target.charCodeAt(0) !== 0x2f) {
    if (target === '*') {
      if (method !== 'OPTIONS') throw new PorticoError('BAD_REQUEST_LINE', '* is for OPTIONS')
      return { method, target, path: '*', query: '', origin: '*', minor, host, hostPort }
    }
    const absolute = ABSOLUTE.exec(target)
    if (absolute === null) throw new PorticoError('BAD_REQUEST_LINE', 'target')
    const authority = parseHost(absolute[1]!)
    if (authority.host === '') throw new PorticoError('BAD_HOST', 'empty authority')
    host = authority.host
    hostPort = authority.port
    origin = absolute[2]!
    if (!origin.startsWith('/')) origin = `/${origin}`
  }
  const mark = origin.indexOf('?')
  const rawPath = mark < 0 ? origin : origin.slice(0, mark)
  const query = mark < 0 ? '' : origin.slice(mark + 1)
  const decoded = decode(rawPath)
  const path = resolveDots(decoded)
  if (path !== decoded || rawPath.includes('\\')) {
    const told = path === decoded ? rawPath.replaceAll('\\', '%5C') : encodePath(path)
    origin = mark < 0 ? told : `${told}?${query}`
  }
  return { method, target, path, query, origin, minor, host, hostPort }
}

/** RFC 9112 §2.3: `HTTP/` DIGIT `.` DIGIT, case-sensitive. */
function parseVersion(text: string): number {
  if (text === 'HTTP/1.1') return 1
  if (text === 'HTTP/1.0') return 0
  if (/^HTTP\/1\.[2-9]$/.test(text)) return 1
  if (/^HTTP\/[0-9]\.[0-9]$/.test(text)) throw new PorticoError('UNSUPPORTED_VERSION', text)
  throw new PorticoError('BAD_REQUEST_LINE', 'HTTP version')
}

/** Percent-decodes to latin-1 bytes and resolves dot segments. Throws BAD_PATH. */
export function decodePath(raw: string): string {
  return resolveDots(decode(raw))
}

function decode(raw: string): string {
  if (!raw.includes('%')) return raw
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) {
    throw new PorticoError('BAD_PATH', 'a % without two hex digits')
  }
  const path = raw.replace(/%[0-9A-Fa-f]{2}/g, (escaped) =>
    String.fromCharCode(Number.parseInt(escaped.slice(1), 16)),
  )
  if (path.includes('\0')) throw new PorticoError('BAD_PATH', 'NUL')
  return path
}

/** RFC 3986 §5.2.4. */
function resolveDots(path: string): string {
  if (!path.includes('/.')) return path
  const kept: string[] = []
  const segments = path.split('/')
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i]!
    const isLast = i === segments.length - 1
    if (segment === '.') {
      if (isLast) kept.push('')
    } else if (segment === '..') {
      if (kept.length === 0) throw new PorticoError('BAD_PATH', '.. above the root')
      kept.pop()
      if (isLast) kept.push('')
    } else kept.push(segment)
  }
  return `/${kept.join('/')}`
}

/**
 * A decoded path as it stands in a URL. What browsers take for something else is encoded: a backslash
 * is a slash to them.
 */
export function encodePath(path: string): string {
  return path.replace(
    /[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}
