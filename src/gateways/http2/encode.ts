/**
 * Hot: answers as HTTP/2 frames (RFC 9113 §8.3.2). No head uses the dynamic table, so that what was encoded
 * once is good for every connection: kept per head, for as long as its Date is right.
 */
import { clock } from '../../request/clock.ts'
import { type AnswerHead, COPIED, HAS_DATE, HAS_SERVER } from '../../request/exchange.ts'
import { fieldName } from '../../wire/fields.ts'
import { mostFieldSize, writeField, writeInteger } from '../../wire/hpack-encoder.ts'
import { staticIndex } from '../../wire/hpack-table.ts'
import {
  DEFAULT_FRAME_SIZE,
  Flag,
  FRAME_HEAD,
  FrameType,
  writeFrameHead,
  writeNumber,
} from '../../wire/http2.ts'
import type { Outgoing } from './outgoing.ts'

interface Remembered {
  readonly second: number
  readonly server: string
  /** Status and fields, without what the body and the request add. */
  readonly block: Buffer
  /** Of a fixed head: HEADERS and DATA, for any stream. */
  whole: Buffer | null
  /** Where DATA begins in there. */
  data: number
  /** Whoever made it names the request by itself. */
  readonly ownsId: boolean
}

const remembered = new WeakMap<AnswerHead, Remembered>()

/** §8.2.2: of an HTTP/1 connection, and the key of a WebSocket that has none here. */
const NOT_HERE = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'sec-websocket-accept',
])

/** A dynamic table of no size. */
const NO_TABLE = Buffer.of(0x20)

const CONTENT_LENGTH = staticIndex.get('content-length')!
/** A length as a literal: a prefix, an index, its own length and at most 16 digits. */
const LENGTH_ROOM = 20

function recall(head: AnswerHead, server: string): Remembered {
  let entry = remembered.get(head)
  if (entry === undefined || entry.second !== clock.second || entry.server !== server) {
    const block = encodeBlock(head.status, head.fields, common(head.has, server))
    const ownsId = /(?:^|\n)x-request-id:/i.test(head.fields)
    entry = { second: clock.second, server, block, whole: null, data: 0, ownsId }
    remembered.set(head, entry)
  }
  return entry
}

const NOTHING = new Uint8Array(0)
/** Server and Date as a block, by what a head has of them itself; good for one second. */
let commons: readonly Uint8Array[] = []
let commonSecond = 0
let commonServer = ''

function common(has: number, server: string): Uint8Array {
  if (commonSecond !== clock.second || commonServer !== server || commons.length === 0) {
    const named = server === '' ? '' : `Server: ${server}\r\n`
    commonSecond = clock.second
    commonServer = server
    commons = [0, HAS_DATE, HAS_SERVER, HAS_DATE | HAS_SERVER].map((own) => {
      const date = (own & HAS_DATE) === 0 ? clock.date : ''
      return encodeBlock(0, (own & HAS_SERVER) === 0 ? named + date : date)
    })
  }
  return commons[has & (HAS_DATE | HAS_SERVER)]!
}

let scratch = Buffer.allocUnsafeSlow(8_192)

/**
 * A block of lines as HTTP/1 has them, with `:status` before it; 0: trailers have none. `between`: a block
 * that is encoded already.
 */
export function encodeBlock(status: number, fields: string, between: Uint8Array = NOTHING): Buffer {
  // A line has four characters at least, and its field takes at most 14 bytes more than these.
  const most = 16 + between.length + fields.length * 5
  if (most > scratch.length) scratch = Buffer.allocUnsafeSlow(most)
  const bytes = scratch
  let to = status === 0 ? 0 : writeField(bytes, 0, ':status', String(status))
  bytes.set(between, to)
  to += between.length
  for (let at = 0; at < fields.length; ) {
    const colon = fields.indexOf(':', at)
    const end = fields.indexOf('\r\n', colon)
    const name = fieldName(fields.slice(at, colon))
    if (!NOT_HERE.has(name)) to = writeField(bytes, to, name, fields.slice(colon + 1, end).trim())
    at = end + 2
  }
  // Memory of its own, and no more than it needs: it may be kept.
  return Buffer.from(bytes.subarray(0, to))
}

/** Writes a block as HEADERS, and CONTINUATION where it is too large for one frame. */
export function writeBlock(out: Outgoing, stream: number, fields: Uint8Array, end: boolean): void {
  const block = out.tableUpdate ? Buffer.concat([NO_TABLE, fields]) : fields
  out.tableUpdate = false
  const flags = end ? Flag.END_STREAM : 0
  let from = 0
  do {
    const to = Math.min(block.length, from + DEFAULT_FRAME_SIZE)
    const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION
    const last = to === block.length ? Flag.END_HEADERS : 0
    const at = out.room(FRAME_HEAD + to - from)
    const payload = writeFrameHead(
      out.bytes,
      at,
      to - from,
      type,
      last | (from === 0 ? flags : 0),
      stream,
    )
    out.bytes.set(block.subarray(from, to), payload)
    out.at = payload + to - from
    from = to
  } while (from < block.length)
}

/** Writes the head of an answer. `length` of its body, -1: untold. `id`: of the request, '' for none. */
export function writeHead(
  out: Outgoing,
  stream: number,
  head: AnswerHead,
  length: number,
  server: string,
  id: string,
  end: boolean,
): void {
  const { block, ownsId } = recall(head, server)
  const named = id !== '' && !ownsId
  const most = block.length + LENGTH_ROOM + (named ? mostFieldSize('x-request-id', id) : 0)
  if (most > DEFAULT_FRAME_SIZE || out.tableUpdate) {
    const whole = Buffer.allocUnsafe(most)
    whole.set(block)
    const to = writeRest(whole, block.length, length, named ? id : '')
    return writeBlock(out, stream, whole.subarray(0, to), end)
  }
  const at = out.room(FRAME_HEAD + most)
  const { bytes } = out
  bytes.set(block, at + FRAME_HEAD)
  const to = writeRest(bytes, at + FRAME_HEAD + block.length, length, named ? id : '')
  const flags = end ? Flag.END_HEADERS | Flag.END_STREAM : Flag.END_HEADERS
  writeFrameHead(bytes, at, to - at - FRAME_HEAD, FrameType.HEADERS, flags, stream)
  out.at = to
}

function writeRest(into: Buffer, at: number, length: number, id: string): number {
  const to = length < 0 ? at : writeLength(into, at, length)
  return id === '' ? to : writeField(into, to, 'x-request-id', id)
}

/** Digits as they are: Huffman's code would save two bytes and cost more than that is worth. */
function writeLength(into: Buffer, at: number, length: number): number {
  const digits = String(length)
  let to = writeInteger(into, at, 0, 4, CONTENT_LENGTH)
  into[to++] = digits.length
  for (let i = 0; i < digits.length; i++) into[to++] = digits.charCodeAt(i)
  return to
}

/**
 * Writes the whole answer of a fixed head: HEADERS and DATA, copied from the last time. False where it
 * cannot be remembered: write it in parts.
 */
export function writeWhole(
  out: Outgoing,
  stream: number,
  head: AnswerHead,
  body: Uint8Array,
  server: string,
): boolean {
  if (head.fixed === undefined || body.length > COPIED || out.tableUpdate) return false
  const entry = recall(head, server)
  if (entry.whole === null && !assemble(entry, body)) return false
  const whole = entry.whole!
  const at = out.room(whole.length)
  out.bytes.set(whole, at)
  writeNumber(out.bytes, at + 5, stream)
  writeNumber(out.bytes, at + entry.data + 5, stream)
  out.at = at + whole.length
  return true
}

function assemble(entry: Remembered, body: Uint8Array): boolean {
  const { block } = entry
  if (block.length + LENGTH_ROOM > DEFAULT_FRAME_SIZE || body.length > DEFAULT_FRAME_SIZE) {
    return false
  }
  const bytes = Buffer.allocUnsafe(2 * FRAME_HEAD + block.length + LENGTH_ROOM + body.length)
  bytes.set(block, FRAME_HEAD)
  const data = writeLength(bytes, FRAME_HEAD + block.length, body.length)
  writeFrameHead(bytes, 0, data - FRAME_HEAD, FrameType.HEADERS, Flag.END_HEADERS, 0)
  const at = writeFrameHead(bytes, data, body.length, FrameType.DATA, Flag.END_STREAM, 0)
  bytes.set(body, at)
  entry.data = data
  entry.whole = Buffer.from(bytes.subarray(0, at + body.length))
  return true
}
