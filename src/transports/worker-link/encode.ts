/** Hot: a request as the worker link carries it: CGI variables, encoded once per header block. */
import type { Exchange } from '../../request/exchange.ts'
import { FRAME_HEAD } from '../../wire/frames.ts'
import type { RequestFields } from '../../wire/request-fields.ts'
import { protocolOf, type RequestLine } from '../../wire/request-line.ts'
import { fieldVariables } from '../variables.ts'

/** `CONTENT_TYPE` and the `HTTP_*` variables (RFC 3875 §4.1), NUL-joined. The same object for the same fields. */
export function encodedFields(fields: RequestFields): Uint8Array {
  fields.encoded ??= Buffer.from(fieldVariables(fields).join('\0'), 'latin1')
  return fields.encoded
}

/** The twelve variables of the request itself; see `wire/frames.ts`. `length`: of the body received, '' for none. */
export function encodeLine(exchange: Exchange, length: string): string {
  const { line, fields, peer, prefix } = exchange
  // `/blog/` is mounted at `/blog`; a prefix of `/` at ''.
  const mount = prefix.endsWith('/') ? prefix.length - 1 : 0
  const name = (line.host === '' ? fields.host : line.host) || peer.localAddress || 'localhost'
  const port = peer.localPort === 0 ? 80 : peer.localPort
  const { trace } = exchange
  const tail =
    trace === null || trace === undefined ? length : `${length} ${trace.traceparent} ${trace.id}`
  return `${line.method}\0${line.path.slice(0, mount)}\0${line.path.slice(mount)}\0${line.query}\0${line.target}\0${protocolOf(line)}\0${peer.address}\0${peer.port}\0${name}\0${port}\0${peer.scheme}\0${tail}`
}

/** The last request of a peer, and what its frame holds before the body, once it has come twice. */
class LastRequest {
  readonly line: RequestLine
  readonly fields: RequestFields
  readonly prefix: string
  readonly length: string
  bytes: Buffer | null = null

  constructor({ line, fields, prefix }: Exchange, length: string) {
    this.line = line
    this.fields = fields
    this.prefix = prefix
    this.length = length
  }
}

/**
 * What a REQUEST frame holds before the body, where the same peer has asked the same before: kept-alive
 * visitors repeat themselves. Null: it has not. `length`: as for `encodeLine`.
 */
export function repeatedHead(exchange: Exchange, length: string): Uint8Array | null {
  const { line, fields, peer, prefix, trace } = exchange
  const last = peer.encoded
  // With a trace no two are the same.
  if (last === undefined || (trace !== null && trace !== undefined)) return null
  if (
    !(last instanceof LastRequest) ||
    last.line !== line ||
    last.fields !== fields ||
    last.prefix !== prefix ||
    last.length !== length
  ) {
    peer.encoded = new LastRequest(exchange, length)
    return null
  }
  if (last.bytes === null) {
    const text = encodeLine(exchange, length)
    const variables = encodedFields(fields)
    // Memory of its own: as part of the common pool it would keep 64 KB of it for as long as the peer stays.
    last.bytes = Buffer.allocUnsafeSlow(8 + text.length + variables.length)
    writeHead(last.bytes, 0, text, variables)
  }
  return last.bytes
}

/** Writes what a REQUEST frame holds before the body at `at`; returns where it ends. */
export function writeHead(into: Buffer, at: number, line: string, fields: Uint8Array): number {
  let to = into.writeUInt32LE(line.length, at)
  to = into.writeUInt32LE(fields.length, to)
  to += into.write(line, to, line.length, 'latin1')
  into.set(fields, to)
  return to + fields.length
}

/** Writes the 12 bytes that begin a frame. */
export function writeFrameHead(
  into: Buffer,
  at: number,
  type: number,
  flags: number,
  id: number,
  length: number,
): number {
  into.writeUInt32LE(length, at)
  into.writeUInt32LE(id, at + 4)
  into[at + 8] = type
  into[at + 9] = flags
  into.writeUInt16LE(0, at + 10)
  return at + FRAME_HEAD
}
