/** What the fields of an HTTP/1.1 request say about its framing, connection and host. Pure. */
import { PorticoError } from '../errors.ts'
import { type FieldList, fieldValue, listMembers, parseFields } from './fields.ts'
import { speaksOfTheVisitor } from './forwarded.ts'

/** The fields of a request, parsed and judged once. Immutable: shared by requests with the same block. */
export interface RequestFields extends FieldList {
  /** The block as it came: `Name: value\r\n` lines, valid. */
  readonly raw: string
  /** The Host field without its port, lower case; '' when absent. */
  readonly host: string
  /** The port in Host, or -1. */
  readonly hostPort: number
  /** Bytes of the body; 0 when no length was given and it is not chunked. */
  readonly contentLength: number
  /** Content-Length was given. */
  readonly hasLength: boolean
  readonly chunked: boolean
  /** `Connection: close` / `keep-alive` were among the options. */
  readonly close: boolean
  readonly keepAlive: boolean
  /** `Expect: 100-continue`. */
  readonly expectContinue: boolean
  /** The Upgrade field when Connection names it, else ''. */
  readonly upgrade: string
  /** The Connection options, lower case. */
  readonly connection: readonly string[]
  /** Some of them speak of the visitor (X-Forwarded-For and the like): see `request/trust.ts`. */
  readonly claims: boolean
  /** Some of them name the request or its trace: see `request/trace.ts`. */
  readonly traced: boolean
  /** Who has said the right password; absent: nobody was asked. Bytes, one latin-1 character each. */
  readonly user?: string
  /** How that was found out (RFC 3875 §4.1.1); absent: by a password, `Basic`. */
  readonly authType?: string
  /** Lines that we say to an HTTP server ourselves, beside those that only we may say; a block as `raw`. */
  readonly own?: string
  /** What applications are told besides as CGI variables: name and value in turn, latin-1. */
  readonly variables?: readonly string[]
  /**
   * A place for what a transport derives from these fields alone (the worker link keeps its encoded
   * form here). Never read by anyone else.
   */
  encoded: Uint8Array | null
}

/** reg-name, IPv4 or IP-literal, then an optional port (RFC 3986 §3.2.2). */
const HOST = /^([A-Za-z0-9\-._~!$&'()*+,;=%]*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?$/

/** A Host value or authority as lower-case host and port (-1: none). Throws BAD_HOST. */
export function parseHost(value: string): { host: string; port: number } {
  const match = HOST.exec(value)
  if (match === null) throw new PorticoError('BAD_HOST', JSON.stringify(value.slice(0, 64)))
  const port = match[2] === undefined || match[2] === '' ? -1 : Number(match[2])
  if (port > 65535) throw new PorticoError('BAD_HOST', `port ${port}`)
  return { host: match[1]!.toLowerCase(), port }
}

/**
 * Parses and judges the fields of a request with the given minor version of HTTP/1. Throws with 400,
 * 417, 431 or 501 as RFC 9112 §6 asks.
 */
export function parseRequestFields(block: string, minor: number, most: number): RequestFields {
  const { names, values } = parseFields(block, most)
  let host = ''
  let hostPort = -1
  let hosts = 0
  let contentLength = 0
  let lengths = 0
  let coding = ''
  let connection: readonly string[] = []
  let expect = ''
  let traced = false
  for (let i = 0; i < names.length; i++) {
    const value = values[i]!
    switch (names[i]) {
      case 'host': {
        hosts++
        const parsed = parseHost(value)
        host = parsed.host
        hostPort = parsed.port
        break
      }
      case 'content-length':
        lengths++
        contentLength = parseLength(value)
        break
      case 'transfer-encoding':
        coding = coding === '' ? value.toLowerCase() || ',' : `${coding},${value.toLowerCase()}`
        break
      case 'traceparent':
      case 'tracestate':
      case 'x-request-id':
        traced = true
        break
      case 'connection':
        connection = connection.concat(listMembers(value))
        break
      case 'expect':
        // Repetitions make a list, and every member must be one that we can meet.
        expect = expect === '' ? value.toLowerCase() : `${expect},${value.toLowerCase()}`
        break
    }
  }
  // RFC 9112 §3.2: exactly one Host on HTTP/1.1, and never several.
  if (hosts > 1) throw new PorticoError('BAD_HOST', 'more than one Host')
  if (hosts === 0 && minor >= 1) throw new PorticoError('BAD_HOST', 'no Host')
  // RFC 9112 §6.3: several lengths, or a length beside a coding, is how requests are smuggled.
  if (lengths > 1) throw new PorticoError('BAD_FRAMING', 'more than one Content-Length')
  let chunked = false
  if (coding !== '') {
    if (lengths > 0)
      throw new PorticoError('BAD_FRAMING', 'Content-Length beside Transfer-Encoding')
    if (minor < 1) throw new PorticoError('BAD_FRAMING', 'Transfer-Encoding in HTTP/1.0')
    if (coding !== 'chunked') throw badCoding(coding)
    chunked = true
  }
  if (expect !== '' && !listMembers(expect).every((member) => member === '100-continue')) {
    throw new PorticoError('UNSUPPORTED_EXPECTATION', JSON.stringify(expect.slice(0, 64)))
  }
  return {
    names,
    values,
    raw: block,
    host,
    hostPort,
    contentLength,
    hasLength: lengths > 0,
    chunked,
    close: connection.includes('close'),
    keepAlive: connection.includes('keep-alive'),
    // RFC 9110 §10.1.1: a 100-continue expectation in an HTTP/1.0 request is ignored.
    expectContinue: expect !== '' && minor >= 1,
    upgrade:
      minor >= 1 && connection.includes('upgrade')
        ? (fieldValue({ names, values }, 'upgrade') ?? '')
        : '',
    connection,
    claims: names.some(speaksOfTheVisitor),
    traced,
    encoded: null,
  }
}

/**
 * RFC 9110 §6.5.1: what frames or routes a message cannot come behind its content. In a request nobody
 * means well by it, so it is refused (§6.5.2 allows that). `block` is valid. Throws BAD_CHUNK.
 */
export function checkTrailers(block: string): void {
  if (block === '') return
  for (const line of block.split('\r\n')) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase()
    if (name === 'content-length' || name === 'transfer-encoding' || name === 'host') {
      throw new PorticoError('BAD_CHUNK', `${name} among the trailers`)
    }
  }
}

/** RFC 9110 §8.6: digits only; a list of equal values is refused like every repetition. */
export function parseLength(value: string): number {
  if (!/^[0-9]{1,16}$/.test(value)) {
    throw new PorticoError('BAD_FRAMING', `Content-Length ${JSON.stringify(value.slice(0, 32))}`)
  }
  const length = Number(value)
  if (!Number.isSafeInteger(length))
    throw new PorticoError('BAD_FRAMING', 'Content-Length too large')
  return length
}

/** RFC 9112 §6.1: chunked must come last and once (else 400); other codings are not implemented (501). */
function badCoding(coding: string): PorticoError {
  const members = listMembers(coding)
  const ends = members.at(-1) === 'chunked' && members.indexOf('chunked') === members.length - 1
  const tokens = members.every((member) => /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(member))
  return ends && tokens && members.length > 1
    ? new PorticoError('UNSUPPORTED_CODING', coding.slice(0, 64))
    : new PorticoError('BAD_FRAMING', `Transfer-Encoding ${JSON.stringify(coding.slice(0, 64))}`)
}
