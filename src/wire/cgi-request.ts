/**
 * A request as a web server in front of us tells it: CGI variables (RFC 3875 §4.1), whether they came
 * over uwsgi, FastCGI or SCGI. Pure. They are judged as an HTTP/1 request is. Variables that are no
 * part of a request are dropped: those with which uWSGI loads code (UWSGI_SCRIPT, UWSGI_FILE,
 * UWSGI_CHDIR, …) mean nothing here, whoever sends them.
 */
import { isIP } from 'node:net'
import { PorticoError } from '../errors.ts'
import { Memo } from './memo.ts'
import { parseHost, parseRequestFields, type RequestFields } from './request-fields.ts'
import { encodePath, parseRequestLine, type RequestLine } from './request-line.ts'

/** Who visits the server in front of us, as that server says. */
export interface ToldPeer {
  /** '' where it did not say, or said no IP address. */
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
  readonly scheme: 'http' | 'https'
}

/** Immutable: shared by requests with the same variables. */
export interface CgiRequest {
  readonly line: RequestLine
  /** Never `chunked`: how the visitor framed its body is over. */
  readonly fields: RequestFields
  readonly peer: ToldPeer
  /** SERVER_PROTOCOL: `HTTP/1.1`, `HTTP/2.0`. */
  readonly protocol: string
  /** The visitor sent its body without a length, and nobody has measured it since. */
  readonly unmeasured: boolean
}

export interface CgiLimits {
  /** Request line, bytes. */
  readonly line: number
  /** Header fields. */
  readonly fields: number
}

const PROTOCOL = /^HTTP\/[0-9](?:\.[0-9])?$/

/** Of the visitor's connection to the server in front, or said by a variable of its own. */
const DROPPED = new Set([
  'content-length',
  'content-type',
  // That server has answered it.
  'expect',
  'host',
  // HTTP_PROXY is what many programs take their outgoing proxy from (CVE-2016-5385).
  'proxy',
  'transfer-encoding',
])

const lines = new Memo<RequestLine>(2048)
const blocks = new Memo<RequestFields>(1024)
/** Variables seen to field names; '' for what is no field. */
const names = new Map<string, string>()

/** Reads requests out of blocks of variables in one protocol's encoding. */
export class CgiRequestReader {
  readonly #decode: (text: string) => readonly string[]
  readonly #known = new Memo<CgiRequest>(1024)

  constructor(decode: (text: string) => readonly string[]) {
    this.#decode = decode
  }

  /** `text` is a block as latin-1, in memory of its own. Throws as the decoder, and 4xx as HTTP/1. */
  read(text: string, limits: CgiLimits): CgiRequest {
    return (
      this.#known.get(text) ??
      this.#known.put(text, readCgiRequest(this.#decode(text), limits), () => text)
    )
  }
}

/** Judges variables: key, value, key, value … in latin-1. Of several with one name the last counts. */
export function readCgiRequest(pairs: readonly string[], limits: CgiLimits): CgiRequest {
  let method = ''
  let uri = ''
  let script = ''
  let path = ''
  let query = ''
  let protocol = 'HTTP/1.1'
  let host = ''
  let serverName = ''
  let address = ''
  let port = 0
  let localAddress = ''
  let localPort = 0
  let https = false
  let type = ''
  let length = ''
  let coded = false
  let block = ''
  let count = 0
  for (let i = 0; i < pairs.length; i += 2) {
    const value = pairs[i + 1]!
    switch (pairs[i]) {
      case 'REQUEST_METHOD':
        method = value
        break
      case 'REQUEST_URI':
        uri = value
        break
      case 'SCRIPT_NAME':
        script = value
        break
      case 'PATH_INFO':
        path = value
        break
      case 'QUERY_STRING':
        query = value
        break
      case 'SERVER_PROTOCOL':
        if (PROTOCOL.test(value)) protocol = value
        break
      case 'SERVER_NAME':
        serverName = value
        break
      case 'REMOTE_ADDR':
        address = addressOf(value)
        break
      case 'REMOTE_PORT':
        port = portOf(value)
        break
      case 'SERVER_ADDR':
        localAddress = addressOf(value)
        break
      case 'SERVER_PORT':
        localPort = portOf(value)
        break
      case 'HTTPS':
        if (value !== '') https = /^(?:on|1|https)$/i.test(value)
        break
      case 'REQUEST_SCHEME':
      case 'UWSGI_SCHEME':
        if (value === 'https') https = true
        break
      case 'CONTENT_TYPE':
        type = value
        break
      case 'CONTENT_LENGTH':
        // Two lengths are how requests are smuggled; an empty one takes the other back.
        if (length !== '' && value !== '' && value !== length)
          throw new PorticoError('BAD_FRAMING', 'more than one CONTENT_LENGTH')
        length = value
        break
      case 'HTTP_HOST':
        host = value
        break
      case 'HTTP_TRANSFER_ENCODING':
        coded = true
        break
      default: {
        const name = fieldNameOf(pairs[i]!)
        if (name === '') break
        block += `${name}: ${value}\r\n`
        count++
      }
    }
  }
  const head = (name: string, value: string): string => {
    if (value === '') return ''
    count++
    return `${name}: ${value}\r\n`
  }
  block = `${head('host', host)}${head('content-type', type)}${head('content-length', length)}${block}`
  const fields = fieldsOf(block, limits.fields)
  // A line break in a variable would be a field that nobody sent.
  if (fields.names.length !== count) throw new PorticoError('BAD_FIELD', 'a line break')

  const minor = protocol === 'HTTP/1.0' ? 0 : 1
  const asked = query === '' ? '' : `?${query}`
  const lineOf = (target: string): RequestLine => {
    if (method.length + target.length + 10 > limits.line) throw new PorticoError('TOO_LONG_LINE')
    const text = `${method} ${target} HTTP/1.${minor}`
    return lines.get(text) ?? lines.put(text, parseRequestLine(text), () => text)
  }
  let line = lineOf(uri === '' ? `${encodePath(script + path) || '/'}${asked}` : uri)
  if (isRewritten(line.path, script, path)) {
    line = { ...lineOf(`${encodePath(path)}${asked}`), target: line.target }
  }
  if (host === '' && line.host === '' && serverName !== '') {
    const named = parseHost(serverName)
    line = { ...line, host: named.host, hostPort: named.port }
  }
  return {
    line,
    fields,
    peer: { address, port, localAddress, localPort, scheme: https ? 'https' : 'http' },
    protocol,
    unmeasured: coded && length === '',
  }
}

/**
 * A PATH_INFO without a SCRIPT_NAME is the whole path as the server in front sees it. Where it differs
 * from what the visitor asked for, that server has rewritten it, and means what it says.
 */
function isRewritten(asked: string, script: string, path: string): boolean {
  return script === '' && path !== asked && path.startsWith('/') && asked !== '*'
}

/** Judged as HTTP/1.0: of 1.1's rules only those about the connection are missing, which is not the visitor's. */
function fieldsOf(block: string, most: number): RequestFields {
  return blocks.get(block) ?? blocks.put(block, parseRequestFields(block, 0, most), () => block)
}

/** `HTTP_USER_AGENT` to `user-agent`; '' for what is no field of the request. */
function fieldNameOf(variable: string): string {
  const known = names.get(variable)
  if (known !== undefined) return known
  if (!variable.startsWith('HTTP_')) return ''
  const name = variable.slice(5).toLowerCase().replaceAll('_', '-')
  if (!/^[!#$%&'*+\-.^`|~0-9a-z]+$/.test(name)) {
    throw new PorticoError('BAD_FIELD', `variable ${JSON.stringify(variable.slice(0, 64))}`)
  }
  const kept = DROPPED.has(name) ? '' : name
  // Copies: a slice would keep the whole packet alive.
  if (variable.length <= 40 && names.size < 1000) names.set(copy(variable), copy(kept))
  return kept
}

function copy(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

function addressOf(value: string): string {
  return isIP(value) === 0 ? '' : value
}

function portOf(value: string): number {
  return /^[0-9]{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : 0
}
