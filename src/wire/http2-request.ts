/**
 * Hot: an HTTP/2 request out of its fields (RFC 9113 §8.3, RFC 8441 §4). They become a request line and a
 * block that HTTP/1's own grammar judges: one grammar for all gateways. What only HTTP/2 forbids is found
 * here. Pure.
 */
import { randomBytes } from 'node:crypto'
import { PorticoError } from '../errors.ts'
import { fieldName, parseFields } from './fields.ts'
import { Http2Code, Http2Fault } from './http2.ts'
import { Memo } from './memo.ts'
import { type Priority, parsePriority, USUAL_PRIORITY } from './priority.ts'
import { checkTrailers, parseRequestFields, type RequestFields } from './request-fields.ts'
import { parseRequestLine, type RequestLine } from './request-line.ts'

/** Immutable: shared by requests that look the same. */
export interface Http2Request {
  readonly line: RequestLine
  /** As HTTP/1.1 would have them: `chunked` where a body of unknown length comes. */
  readonly fields: RequestFields
  /** An extended CONNECT: what comes behind it is no body. */
  readonly tunnel: boolean
  readonly priority: Priority
}

export interface Http2RequestLimits {
  /** Method and path, bytes. */
  readonly line: number
  /** All of the head as HTTP/1 would write it, bytes. */
  readonly head: number
  /** Fields. */
  readonly fields: number
}

/** Of trailers, as in HTTP/1, whatever the limit of fields: who passes them on takes no more. */
const MOST_TRAILERS = 100

const lines = new Memo<RequestLine>(2048)
/** Of requests that are over with their head, and of those with something behind it. */
const blocks = [new Memo<RequestFields>(1024), new Memo<RequestFields>(1024)]

/**
 * RFC 8441 §5: a WebSocket over HTTP/2 has no key. Who is behind us expects one, so that no cache answers
 * for a server; any will do.
 */
const WEBSOCKET_KEY = randomBytes(16).toString('base64')
const UPGRADE_LINES = 3
const UPGRADE = `connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${WEBSOCKET_KEY}\r\n`

/** Collects the fields of one block at a time. */
export class Http2RequestReader {
  readonly #limits: Http2RequestLimits
  #method = ''
  #scheme = ''
  #authority = ''
  #path = ''
  #protocol = ''
  /** Of the pseudo-fields that have come, a bit each. */
  #seen = 0
  #host = ''
  #hosts = 0
  #cookie = ''
  #priority = ''
  #block = ''
  #lines = 0
  #count = 0
  #size = 0
  /** A field that is no pseudo-field has come. */
  #regular = false
  #trailers = false
  /** What makes it malformed (§8.1.1), '' for nothing so far. */
  #wrong = ''

  constructor(limits: Http2RequestLimits) {
    this.#limits = limits
  }

  /** Before the first field. */
  begin(trailers: boolean): void {
    this.#method = this.#scheme = this.#authority = this.#path = this.#protocol = ''
    this.#seen = 0
    this.#host = this.#cookie = this.#priority = this.#block = this.#wrong = ''
    this.#hosts = this.#lines = this.#count = this.#size = 0
    this.#regular = false
    this.#trailers = trailers
  }

  /** Takes the next field. Throws nothing: the rest of the block has to be decoded all the same. */
  readonly field = (name: string, value: string): void => {
    this.#size += name.length + value.length + 4
    if (this.#size > this.#limits.head || ++this.#count > this.#limits.fields) return
    if (name.charCodeAt(0) === 0x3a) return this.#pseudo(name, value)
    this.#regular = true
    if (!isLowerName(name)) return this.#malformed(`name ${JSON.stringify(name.slice(0, 64))}`)
    // §8.2.1: no blanks around a value; what else is wrong with one is found by HTTP/1's grammar.
    if (hasOuterBlank(value))
      return this.#malformed(`blanks around the value of ${name.slice(0, 64)}`)
    switch (name) {
      case 'host':
        this.#hosts++
        this.#host = value
        return
      case 'cookie':
        // §8.2.3: crumbs, for the sake of compression.
        this.#cookie = this.#cookie === '' ? value : `${this.#cookie}; ${value}`
        return
      case 'te':
        if (value !== 'trailers') return this.#malformed('te')
        break
      case 'connection':
      case 'keep-alive':
      case 'proxy-connection':
      case 'transfer-encoding':
      case 'upgrade':
        return this.#malformed(name)
      case 'priority':
        this.#priority = this.#priority === '' ? value : `${this.#priority}, ${value}`
        break
      case 'sec-websocket-key':
        if (this.#protocol !== '') return
        break
    }
    this.#block += `${name}: ${value}\r\n`
    this.#lines++
  }

  #pseudo(name: string, value: string): void {
    if (this.#trailers || this.#regular) return this.#malformed(`${name} out of place`)
    let bit = 0
    switch (name) {
      case ':method':
        bit = 1
        this.#method = value
        break
      case ':scheme':
        bit = 2
        this.#scheme = value
        break
      case ':path':
        bit = 4
        this.#path = value
        break
      case ':authority':
        bit = 8
        this.#authority = value
        break
      case ':protocol':
        bit = 16
        this.#protocol = value
        break
      default:
        return this.#malformed(`${JSON.stringify(name.slice(0, 64))}`)
    }
    if ((this.#seen & bit) !== 0) this.#malformed(`${name} twice`)
    this.#seen |= bit
  }

  #malformed(wrong: string): void {
    if (this.#wrong === '') this.#wrong = wrong
  }

  /** As much of the request line as is known, for the log. */
  get told(): string {
    return `${this.#method} ${this.#path} HTTP/2.0`.slice(0, 1024)
  }

  /**
   * The request. `over`: nothing comes behind its head. Throws PorticoError for what is answered, and
   * Http2Fault of `stream` for what is malformed.
   */
  request(stream: number, over: boolean): Http2Request {
    if (this.#size > this.#limits.head) throw new PorticoError('TOO_LARGE_HEAD')
    if (this.#count > this.#limits.fields) {
      throw new PorticoError('TOO_LARGE_HEAD', `more than ${this.#limits.fields} fields`)
    }
    if (this.#wrong !== '') throw malformed(stream, this.#wrong)
    const line = this.#line(stream)
    const tunnel = this.#protocol !== ''
    const fields = this.#fields(stream, over, tunnel)
    if (over && (fields.contentLength > 0 || tunnel)) throw malformed(stream, 'no content')
    const priority = this.#priority === '' ? USUAL_PRIORITY : parsePriority(this.#priority)
    return { line, fields, tunnel, priority }
  }

  #line(stream: number): RequestLine {
    const method = this.#method
    const path = this.#path
    if (method === 'CONNECT' && this.#protocol === '') {
      // §8.5: neither scheme nor path. We are no tunnel.
      if (this.#seen !== 9) throw malformed(stream, 'CONNECT')
      throw new PorticoError('UNSUPPORTED_METHOD', 'CONNECT')
    }
    if ((this.#seen & 7) !== 7) throw malformed(stream, 'no :method, :scheme or :path')
    if (path === '' || this.#scheme === '') throw malformed(stream, 'an empty :path or :scheme')
    let asked = method
    if (this.#protocol !== '') {
      if (method !== 'CONNECT') throw malformed(stream, ':protocol')
      if (this.#protocol !== 'websocket') throw new PorticoError('UNSUPPORTED_METHOD', 'CONNECT')
      asked = 'GET'
    }
    if (asked.length + path.length + 10 > this.#limits.line) {
      throw new PorticoError('TOO_LONG_LINE')
    }
    const text = `${asked} ${path} HTTP/1.1`
    const known = lines.get(text)
    if (known !== undefined) return known
    // §8.3.1: no absolute form, which HTTP/1's grammar would take.
    if (path.charCodeAt(0) !== 0x2f && path !== '*') throw malformed(stream, ':path')
    return lines.put(text, { ...parseRequestLine(text), protocol: 'HTTP/2.0' }, () => text)
  }

  #fields(stream: number, over: boolean, tunnel: boolean): RequestFields {
    let host = this.#host
    if ((this.#seen & 8) !== 0) {
      // §8.3.1: Host may say the same, and nothing else.
      if (this.#hosts > 0 && host.toLowerCase() !== this.#authority.toLowerCase()) {
        throw malformed(stream, 'host and :authority differ')
      }
      host = this.#authority
      if (host === '') throw new PorticoError('BAD_HOST', 'empty authority')
    }
    if (this.#hosts > 1) throw new PorticoError('BAD_HOST', 'more than one Host')
    let block = this.#block
    let count = this.#lines
    if (host !== '' || this.#hosts > 0) {
      block = `host: ${host}\r\n${block}`
      count++
    }
    if (this.#cookie !== '') {
      block += `cookie: ${this.#cookie}\r\n`
      count++
    }
    if (tunnel) {
      block += UPGRADE
      count += UPGRADE_LINES
    }
    const memo = blocks[over ? 0 : 1]!
    const known = memo.get(block)
    // A line break in a value makes the same text of fewer fields.
    if (known !== undefined && known.names.length === count) return known
    return memo.put(block, this.#judge(stream, block, over, count), () => block)
  }

  #judge(stream: number, block: string, over: boolean, count: number): RequestFields {
    try {
      const fields = parseRequestFields(block, 1, this.#limits.fields + UPGRADE_LINES + 1)
      // A line break in a value would be a field that nobody sent.
      if (fields.names.length !== count) throw new PorticoError('BAD_FIELD', 'a line break')
      const endless = !over && !fields.hasLength && fields.upgrade === ''
      return endless ? { ...fields, chunked: true } : fields
    } catch (error) {
      const wrong =
        error instanceof PorticoError &&
        (error.code === 'BAD_FIELD' || error.code === 'BAD_FRAMING')
      throw wrong ? malformed(stream, error.message) : error
    }
  }

  /** The block of trailers, valid as HTTP/1's. Throws Http2Fault of `stream`. */
  trailers(stream: number): string {
    const most = Math.min(this.#limits.fields, MOST_TRAILERS)
    if (this.#size > this.#limits.head || this.#count > most) {
      throw malformed(stream, 'too many trailers')
    }
    if (this.#wrong !== '') throw malformed(stream, this.#wrong)
    const block = this.#block
    try {
      const { names } = parseFields(block, most)
      if (names.length !== this.#lines) throw malformed(stream, 'a line break')
      checkTrailers(block)
      return block
    } catch (error) {
      throw malformed(stream, error instanceof Error ? error.message : '')
    }
  }
}

function malformed(stream: number, wrong: string): Http2Fault {
  return new Http2Fault(Http2Code.PROTOCOL_ERROR, `malformed request: ${wrong}`, stream)
}

/** §8.2: a token without capital letters. */
function isLowerName(name: string): boolean {
  try {
    return fieldName(name) === name
  } catch {
    return false
  }
}

function hasOuterBlank(value: string): boolean {
  const { length } = value
  return length > 0 && (isBlank(value.charCodeAt(0)) || isBlank(value.charCodeAt(length - 1)))
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
