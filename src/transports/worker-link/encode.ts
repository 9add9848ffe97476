/** Hot: a request as the worker link carries it: CGI variables, encoded once per header block. */
import type { Exchange } from '../../request/exchange.ts'
import { FRAME_HEAD, FrameType } from '../../wire/frames.ts'
import type { RequestFields } from '../../wire/request-fields.ts'
import { protocolOf } from '../../wire/request-line.ts'
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

/** Bytes that `writeRequest` needs. */
export function requestSize(line: string, fields: Uint8Array, body: Uint8Array): number {
  return FRAME_HEAD + 8 + line.length + fields.length + body.length
}

/** Writes a REQUEST frame at `at`; returns where it ends. */
export function writeRequest(
  into: Buffer,
  at: number,
  id: number,
  line: string,
  fields: Uint8Array,
  body: Uint8Array,
  flags: number,
): number {
  let to = writeFrameHead(
    into,
    at,
    FrameType.REQUEST,
    flags,
    id,
    8 + line.length + fields.length + body.length,
  )
  to = into.writeUInt32LE(line.length, to)
  to = into.writeUInt32LE(fields.length, to)
  to += into.write(line, to, line.length, 'latin1')
  into.set(fields, to)
  to += fields.length
  into.set(body, to)
  return to + body.length
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
