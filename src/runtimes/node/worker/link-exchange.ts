/** Hot: a request on the link, and its answer, as a fetch handler's exchange. */
import { createReadStream } from 'node:fs'
import { PorticoError } from '../../../errors.ts'
import type { FetchExchange } from '../../../fetch/exchange.ts'
import {
  MESSAGE_COST,
  type WebSocketCarrier,
  type WebSocketEvents,
} from '../../../fetch/websocket.ts'
import type { AnswerHead, BodySink } from '../../../request/exchange.ts'
import { writeFrameHead } from '../../../transports/worker-link/encode.ts'
import type { FieldList } from '../../../wire/fields.ts'
import {
  FAILED,
  FRAME_HEAD,
  FrameType,
  INITIAL_GRANT,
  INITIAL_WINDOW,
  MAX_DATA,
  MAX_FRAME,
  MAX_WHOLE,
  REQUEST_MORE,
  REQUEST_SPOOLED,
  REQUEST_WEBSOCKET,
  RESPONSE_FIXED,
  TEXT,
} from '../../../wire/frames.ts'
import { Memo } from '../../../wire/memo.ts'
import type { ServerLink } from './server-link.ts'

/** Granted back in steps of so many bytes. */
const GRANT_STEP = INITIAL_GRANT / 4
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i
/** A traceback for the server's log page, bytes. */
const LONGEST_FAILURE = 65_536

/** Fields by the bytes they came as. */
const known = new Memo<FieldList>(1024)
/** What the link calls the reason and fields of a head. */
const encodedHeads = new WeakMap<AnswerHead, Buffer>()

/** Called once when the exchange is over. */
export type Over = (exchange: LinkExchange) => void

export class LinkExchange implements FetchExchange, WebSocketCarrier {
  readonly id: number
  readonly line: FetchExchange['line']
  readonly trace: NonNullable<FetchExchange['trace']> | null
  readonly fields: FetchExchange['fields']
  readonly peer: FetchExchange['peer']
  answered = false
  gone = false
  onGone: (() => void) | null = null
  onDrain: (() => void) | null = null
  readonly #link: ServerLink
  readonly #over: Over
  readonly #flags: number
  readonly #began: number = performance.now()
  #done = false

  // The request's body.
  /** What has come and nobody has taken; of a spooled one the path. */
  #parts: Buffer[] = []
  #ended = true
  #sink: BodySink | null = null
  /** The sink wants no more for now. */
  #held = false
  #consumed = 0

  // The answer.
  #window = INITIAL_WINDOW
  /** Beyond the window: frames' type and flags, and their payload. */
  #backlog: { type: number; flags: number; bytes: Uint8Array }[] = []
  unsent = 0
  #ending = -1

  #socket: WebSocketEvents | null = null

  constructor(link: ServerLink, id: number, flags: number, payload: Buffer, over: Over) {
    this.#link = link
    this.id = id
    this.#flags = flags
    this.#over = over
    const lineEnd = 8 + payload.readUInt32LE(0)
    const fieldsEnd = lineEnd + payload.readUInt32LE(4)
    const line = payload.toString('latin1', 8, lineEnd).split('\0')
    const [length = '', traceparent, name] = line[11]!.split(' ')
    const list = fieldList(payload.toString('latin1', lineEnd, fieldsEnd))
    const target = line[4]!
    const absolute = target.charCodeAt(0) === 0x2f ? null : ABSOLUTE.exec(target)
    const origin = absolute === null ? target : absolute[2]!
    this.line = {
      method: line[0]!,
      origin: origin.startsWith('/') || origin === '*' ? origin : `/${origin}`,
      host: absolute === null ? '' : absolute[1]!,
      hostPort: -1,
    }
    const more = (flags & REQUEST_MORE) !== 0
    this.trace = traceparent === undefined || name === undefined ? null : { traceparent, id: name }
    this.fields =
      length === ''
        ? { names: list.names, values: list.values, chunked: more, contentLength: 0 }
        : {
            names: [...list.names, 'content-length'],
            values: [...list.values, length],
            chunked: false,
            contentLength: Number(length),
          }
    this.peer = {
      address: line[6]!,
      port: Number(line[7]),
      localAddress: line[8]!,
      localPort: Number(line[9]),
      scheme: line[10]!,
    }
    this.#ended = !more
    // The frame is the next one's soon.
    if (payload.length > fieldsEnd) this.#parts.push(Buffer.from(payload.subarray(fieldsEnd)))
  }

  get isOver(): boolean {
    return this.#done
  }

  // The request's body.

  receive(sink: BodySink): void {
    if (this.gone) return sink.abort(new PorticoError('VISITOR_LEFT'))
    this.#sink = sink
    if ((this.#flags & REQUEST_SPOOLED) !== 0) this.#readSpool(sink)
    else this.#pass()
  }

  resume(): void {
    this.#held = false
    this.#pass()
  }

  bodyPart(bytes: Buffer): void {
    this.#parts.push(Buffer.from(bytes))
    this.#pass()
  }

  bodyEnd(): void {
    this.#ended = true
    this.#pass()
  }

  #pass(): void {
    const sink = this.#sink
    if (sink === null) return
    while (!this.#held && this.#parts.length > 0) {
      const part = this.#parts.shift()!
      this.taken(part.length)
      this.#held = !sink.data(part)
    }
    if (this.#held || !this.#ended || this.#parts.length > 0) return
    this.#sink = null
    sink.end('')
  }

  /** The server has written the body to a file. */
  #readSpool(sink: BodySink): void {
    const file = createReadStream(this.#parts.splice(0).toString())
    file.on('data', (chunk) => {
      this.#parts.push(chunk as Buffer)
      this.#pass()
      if (this.#held) file.pause()
    })
    file.on('end', () => this.bodyEnd())
    file.on('error', (error) => sink.abort(new PorticoError('SPOOL_FAILED', error.message)))
    this.#ended = false
    const resume = this.resume.bind(this)
    this.resume = () => {
      resume()
      file.resume()
    }
  }

  /** So many bytes of the body, or of messages, have been dealt with: as many more may come. */
  taken(bytes: number): void {
    this.#consumed += bytes
    if (this.#consumed < GRANT_STEP || this.#done) return
    this.#sendNumber(FrameType.GRANT, this.#consumed)
    this.#consumed = 0
  }

  // The answer.

  respond(head: AnswerHead, body: Uint8Array, length = -1): void {
    if (this.answered || this.#done) return
    if (body.length > MAX_WHOLE) {
      this.start(head, length < 0 ? body.length : length)
      this.write(body, true)
      return this.end()
    }
    this.answered = true
    this.#headFrame(FrameType.RESPONSE, head.has, head, length, body)
    this.#finish()
  }

  start(head: AnswerHead, length: number): void {
    if (this.answered || this.#done) return
    this.answered = true
    this.#headFrame(FrameType.HEAD, head.has, head, length, NOTHING)
  }

  write(chunk: Uint8Array, owned: boolean): boolean {
    if (this.#done || this.gone) return true
    const kept = owned ? chunk : Buffer.from(chunk)
    for (let at = 0; at < kept.length; at += MAX_DATA) {
      this.#put(FrameType.DATA, 0, kept.subarray(at, at + MAX_DATA))
    }
    return this.unsent === 0 && this.#window > 0
  }

  end(): void {
    this.#end(0)
  }

  fail(error: PorticoError): void {
    if (this.#done) return
    if (this.#socket !== null) return this.shut(1011, '')
    if (this.answered) return this.#end(FAILED)
    this.answered = true
    const ours = error.code !== 'APP_FAILED'
    const head: AnswerHead = {
      status: error.status,
      reason: '',
      fields: ours ? TEXT_FIELD : '',
      has: 0,
    }
    const body = Buffer.from(ours ? `${error.message}\n` : error.message)
    const flags = ours ? 0 : FAILED
    this.#headFrame(FrameType.RESPONSE, flags, head, -1, body.subarray(0, LONGEST_FAILURE))
    this.#finish()
  }

  /** The server gives more room. */
  opened(bytes: number): void {
    this.#window += bytes
    const waited = this.unsent > 0 || this.#window <= bytes
    while (this.#backlog.length > 0 && this.#window > 0) {
      const { type, flags, bytes: payload } = this.#backlog.shift()!
      this.unsent -= payload.length + MESSAGE_COST
      this.#window -= payload.length
      this.#link.send(type, flags, 0, this.id, payload)
    }
    if (this.#backlog.length > 0) return
    if (this.#ending >= 0) return this.#end(this.#ending)
    if (!waited) return
    if (this.#socket !== null) this.#socket.drained()
    else this.onDrain?.()
  }

  /** The visitor has left, or the link is lost: nothing is wanted any more. */
  cancel(lost: boolean): void {
    if (this.#done) return
    this.gone = true
    this.#backlog = []
    if (lost) this.#finish()
    else this.#end(FAILED)
    const sink = this.#sink
    this.#sink = null
    this.#parts = []
    sink?.abort(new PorticoError('VISITOR_LEFT'))
    this.onGone?.()
    this.#socket?.closed(1006, '')
  }

  // WebSocket.

  /** Opens the WebSocket that was asked for; null when none was. */
  accept(fields: string, events: WebSocketEvents): WebSocketCarrier | null {
    if ((this.#flags & REQUEST_WEBSOCKET) === 0 || this.answered || this.#done) return null
    this.answered = true
    this.#socket = events
    this.#link.send(FrameType.ACCEPT, 0, 0, this.id, Buffer.from(fields, 'latin1'))
    return this
  }

  send(text: boolean, bytes: Uint8Array): void {
    if (bytes.length > MAX_FRAME)
      throw new RangeError(`a message of ${bytes.length} bytes is too large`)
    this.#put(FrameType.SEND, text ? TEXT : 0, bytes)
  }

  shut(code: number, reason: string): void {
    if (this.#done) return
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
    payload.writeUInt16LE(code)
    payload.write(reason, 2)
    this.#put(FrameType.SHUT, 0, payload)
  }

  messageCame(text: boolean, bytes: Buffer): void {
    this.#socket?.message(text, bytes)
  }

  webSocketClosed(code: number, reason: string): void {
    this.#backlog = []
    this.#end(0)
    this.#socket?.closed(code, reason)
  }

  // Frames.

  /** Sends it within the window, or when that opens; a message may overdraw it. */
  #put(type: number, flags: number, bytes: Uint8Array): void {
    if (this.#done) return
    if (this.#window > 0 && this.#backlog.length === 0) {
      this.#window -= bytes.length
      return this.#link.send(type, flags, 0, this.id, bytes)
    }
    this.#backlog.push({ type, flags, bytes: type === FrameType.SEND ? Buffer.from(bytes) : bytes })
    this.unsent += bytes.length + MESSAGE_COST
  }

  #end(flags: number): void {
    if (this.#done) return
    if (this.#backlog.length > 0) {
      this.#ending = flags
      return
    }
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32LE(this.#microseconds)
    this.#link.send(FrameType.END, flags, 0, this.id, payload)
    this.#finish()
  }

  #finish(): void {
    this.#done = true
    this.#over(this)
  }

  #headFrame(
    type: number,
    flags: number,
    head: AnswerHead,
    length: number,
    body: Uint8Array,
  ): void {
    const text = encodedHead(head)
    const size = RESPONSE_FIXED + text.length + body.length
    const { into, at } = this.#link.reserve(FRAME_HEAD + size)
    let to = writeFrameHead(into, at, type, flags, this.id, size)
    into.writeUInt16LE(head.status, at + 10)
    to = into.writeUInt32LE(text.length, to)
    to = into.writeUInt32LE(this.#microseconds, to)
    to = into.writeUInt32LE(length < 0 ? 0xffff_ffff : length >>> 0, to)
    to = into.writeInt32LE(Math.floor(length / 0x1_0000_0000), to)
    into.set(text, to)
    into.set(body, to + text.length)
  }

  #sendNumber(type: number, value: number): void {
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32LE(value)
    this.#link.send(type, 0, 0, this.id, payload)
  }

  get #microseconds(): number {
    return Math.min(0xffff_ffff, Math.round((performance.now() - this.#began) * 1000))
  }
}

const NOTHING = new Uint8Array(0)
const TEXT_FIELD = 'Content-Type: text/plain;charset=UTF-8\r\n'

function encodedHead(head: AnswerHead): Buffer {
  let bytes = encodedHeads.get(head)
  if (bytes === undefined) {
    bytes = Buffer.from(`${head.reason}\r\n${head.fields}`, 'latin1')
    encodedHeads.set(head, bytes)
  }
  return bytes
}

/** Field names of CGI variables. */
function fieldList(text: string): FieldList {
  const before = known.get(text)
  if (before !== undefined) return before
  const names: string[] = []
  const values: string[] = []
  const parts = text === '' ? [] : text.split('\0')
  for (let i = 0; i + 1 < parts.length; i += 2) {
    const variable = parts[i]!
    const name = variable === 'CONTENT_TYPE' ? variable : variable.slice('HTTP_'.length)
    names.push(name.toLowerCase().replaceAll('_', '-'))
    values.push(parts[i + 1]!)
  }
  return known.put(text, { names, values }, () => Buffer.from(text, 'latin1').toString('latin1'))
}
