/** Hot: turns answer heads into bytes (RFC 9112 §4, §6). What repeats is remembered per head. */
import { clock } from '../../request/clock.ts'
import { type AnswerHead, HAS_DATE, HAS_SERVER } from '../../request/exchange.ts'
import { http } from '../../system/http.ts'

/** How the body's end is told: nothing said (1xx, 204, close-delimited, 304 without one), a length, or chunks. */
export const Framing = { NONE: -1, CHUNKED: -2 } as const

/** Everything of an answer's head but framing and connection; valid for one second. */
interface Remembered {
  readonly second: number
  readonly server: string
  readonly text: string
  /** `text` as bytes: copying them is cheaper than encoding it anew. */
  readonly bytes: Buffer
  /** Of a fixed head: its answer as a whole, on a connection that persists. */
  whole: Buffer | null
  /** How long the last body behind it was. */
  length: number
  /** `bytes` and what follows them before a body of that length, once two were; null before. */
  headed: Buffer | null
  /** Whoever made it names the request by itself; null: nobody has looked. */
  ownsId: boolean | null
}

const remembered = new WeakMap<AnswerHead, Remembered>()

/**
 * The head as latin-1 text with its empty line. `framing` is a body length in bytes or one of Framing;
 * `connection` is a complete `Connection: …\r\n` line or ''; `server` the Server field's value or ''; `id` a
 * complete `X-Request-Id: …\r\n` line or '', left out where the head has one.
 */
export function encodeHead(
  head: AnswerHead,
  framing: number,
  connection: string,
  server: string,
  id = '',
): string {
  const entry = recall(head, server)
  if (id !== '' && !ownsId(entry)) return encodeEnd(entry, framing, connection + id)
  return encodeEnd(entry, framing, connection)
}

function encodeEnd(entry: Remembered, framing: number, connection: string): string {
  if (framing >= 0) return `${entry.text}Content-Length: ${framing}\r\n${connection}\r\n`
  if (framing === Framing.CHUNKED)
    return `${entry.text}Transfer-Encoding: chunked\r\n${connection}\r\n`
  return `${entry.text}${connection}\r\n`
}

/** Head and body of a whole answer: one buffer, one write, one packet. */
export function encodeWhole(
  head: AnswerHead,
  body: Uint8Array,
  connection: string,
  server: string,
  id = '',
): Buffer {
  const entry = recall(head, server)
  if (id !== '' && !ownsId(entry)) return assemble(entry, body, connection + id)
  if (head.fixed === undefined || connection !== '') return assemble(entry, body, connection)
  entry.whole ??= assemble(entry, body, '')
  return entry.whole
}

function assemble(entry: Remembered, body: Uint8Array, connection: string): Buffer {
  if (connection === '') {
    if (entry.length === body.length) {
      entry.headed ??= Buffer.from(encodeEnd(entry, body.length, ''), 'latin1')
      return append(entry.headed, body)
    }
    entry.length = body.length
    entry.headed = null
  }
  const tail = `Content-Length: ${body.length}\r\n${connection}\r\n`
  const begun = entry.bytes.length
  const headed = begun + tail.length
  const answer = Buffer.allocUnsafe(headed + body.length)
  answer.set(entry.bytes)
  answer.write(tail, begun, tail.length, 'latin1')
  answer.set(body, headed)
  return answer
}

function append(first: Buffer, second: Uint8Array): Buffer {
  const both = Buffer.allocUnsafe(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}

function ownsId(entry: Remembered): boolean {
  entry.ownsId ??= /\r\nx-request-id:/i.test(entry.text)
  return entry.ownsId
}

function recall(head: AnswerHead, server: string): Remembered {
  let entry = remembered.get(head)
  if (entry === undefined || entry.second !== clock.second || entry.server !== server) {
    const text = common(head, server)
    const bytes = Buffer.from(text, 'latin1')
    const { second } = clock
    entry = { second, server, text, bytes, whole: null, length: -1, headed: null, ownsId: null }
    remembered.set(head, entry)
  }
  return entry
}

function common(head: AnswerHead, server: string): string {
  const reason = head.reason === '' ? (http.STATUS_CODES[head.status] ?? '') : head.reason
  const date = (head.has & HAS_DATE) === 0 ? clock.date : ''
  const named = (head.has & HAS_SERVER) === 0 && server !== '' ? `Server: ${server}\r\n` : ''
  return `HTTP/1.1 ${head.status} ${reason}\r\n${named}${date}${head.fields}`
}

/** `head` as a web server before us is told it: with what only servers read. */
export function withOrders(head: AnswerHead): AnswerHead {
  const { orders = '', ...rest } = head
  return { ...rest, fields: head.fields + orders }
}

/** Head and body as one buffer. */
export function join(head: string, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(head.length + body.length)
  bytes.write(head, 0, head.length, 'latin1')
  bytes.set(body, head.length)
  return bytes
}
