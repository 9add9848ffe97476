/** Hot: a Response as the answer to an exchange. */
import { PorticoError } from '../errors.ts'
import { type AnswerHead, HAS_DATE, HAS_SERVER } from '../request/exchange.ts'
import { withoutOrders } from '../request/orders.ts'
import { parseFields } from '../wire/fields.ts'
import { Memo } from '../wire/memo.ts'
import type { FetchExchange } from './exchange.ts'
import { fieldLines, takeParts } from './response.ts'

const NOTHING = new Uint8Array(0)
const DIGITS = /^[0-9]{1,15}$/
/** Of the connection, not of the answer (RFC 9110 §7.6.1): what a copied answer brings along. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Heads by what they were made from: the gateway remembers what it encoded each to. */
const heads = new Memo<AnswerHead>(1024)

/** A head, and the length that its fields announce; -1: none. */
interface Encoded {
  readonly head: AnswerHead
  readonly length: number
}

/**
 * Answers with `response`. Resolves when all of it was given, rejects with what the application did
 * wrong; null: it is done already.
 */
export function answer(exchange: FetchExchange, response: Response): Promise<void> | null {
  const parts = takeParts(response)
  if (parts === null) return answerAny(exchange, response)
  const { status, statusText, block, notable, body } = parts
  const head = notable ? null : plainHead(status, statusText, block)
  if (head !== null && typeof body === 'string') {
    exchange.respond(head, Buffer.from(body))
    return null
  }
  const encoded = head === null ? notableHead(status, statusText, block) : { head, length: -1 }
  const bytes = typeof body === 'string' ? Buffer.from(body) : (body ?? NOTHING)
  // Without a body, Content-Length is that of the answer to GET.
  if (body === null && encoded.length >= 0 && exchange.line.method === 'HEAD') {
    exchange.respond(encoded.head, bytes, encoded.length)
  } else exchange.respond(encoded.head, bytes)
  return null
}

/** The standard's way: whatever made it, its body is a stream. */
async function answerAny(exchange: FetchExchange, response: Response): Promise<void> {
  if (response.bodyUsed || response.body?.locked) {
    throw new TypeError(
      'the body of this Response was used before: make a new one for each request',
    )
  }
  const { block } = fieldLines(response.headers)
  const fetched = response.url !== '' && response.headers.has('content-encoding')
  const { head, length } = notableHead(response.status, response.statusText, block, fetched)
  const { body } = response
  if (body === null) return exchange.respond(head, NOTHING)
  if (exchange.line.method === 'HEAD') {
    exchange.start(head, length)
    exchange.end()
    return body.cancel()
  }
  await pump(exchange, head, length, body)
}

/** Gives the stream as fast as the visitor takes it; one that leaves cancels it. */
async function pump(
  exchange: FetchExchange,
  head: AnswerHead,
  length: number,
  body: ReadableStream<Uint8Array>,
): Promise<void> {
  const reader = body.getReader()
  let drained = (): void => {}
  const left = exchange.onGone
  exchange.onGone = () => {
    left?.()
    reader.cancel(new DOMException('the visitor has left', 'AbortError')).catch(() => {})
    drained()
  }
  exchange.onDrain = () => drained()
  if (exchange.gone) return reader.cancel()
  exchange.start(head, length)
  try {
    await copy(exchange, length, reader, (resolve) => {
      drained = resolve
    })
  } catch (error) {
    reader.cancel(error).catch(() => {})
    throw error
  }
}

/** Until the end of either side. `wait` is given what to call when the visitor has taken all. */
async function copy(
  exchange: FetchExchange,
  length: number,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  wait: (drained: () => void) => void,
): Promise<void> {
  let sent = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (exchange.gone) return
    if (done) break
    if (!(value instanceof Uint8Array)) {
      throw new TypeError('the body of a Response must be a stream of Uint8Array')
    }
    sent += value.length
    if (length >= 0 && sent > length) {
      throw new RangeError(`the body of a Response is longer than its Content-Length of ${length}`)
    }
    if (value.length === 0 || exchange.write(value, false)) continue
    await new Promise<void>(wait)
  }
  if (sent < length) {
    throw new RangeError(`the body of a Response ended after ${sent} of ${length} bytes`)
  }
  exchange.end()
}

function plainHead(status: number, reason: string, block: string): AnswerHead {
  const key = `${status} ${reason}\r\n${block}`
  const known = heads.get(key)
  if (known !== undefined) return known
  const head: AnswerHead = { status, reason: wire(reason), has: 0, ...withoutOrders(wire(block)) }
  return heads.put(key, head, () => Buffer.from(key, 'latin1').toString('latin1'))
}

/** `decoded`: the body is not in the coding any more that its fields tell of. */
function notableHead(status: number, reason: string, block: string, decoded = false): Encoded {
  const { names, values } = parseFields(block, Number.POSITIVE_INFINITY)
  let fields = ''
  let has = 0
  let length = -1
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!
    const value = values[i]!
    if (HOP_BY_HOP.has(name) || (decoded && name === 'content-encoding')) continue
    if (name === 'content-length') {
      if (!DIGITS.test(value))
        throw new PorticoError('BAD_FIELD', `Content-Length ${JSON.stringify(value)}`)
      if (!decoded) length = Number(value)
      continue
    }
    if (name === 'date') has |= HAS_DATE
    if (name === 'server') has |= HAS_SERVER
    fields += `${name}: ${value}\r\n`
  }
  return { head: { status, reason, has, ...withoutOrders(fields) }, length }
}

/** A flat copy, since the text was put together of pieces. */
function wire(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
