/**
 * One connection to a backend, with many exchanges at a time (RFC 9113). What is written in one turn leaves
 * in one write.
 *
 *     connecting ──▶ open ──GOAWAY of either side, a doubt──▶ leaving ──last stream over──▶ closed
 */
import type { Socket } from 'node:net'
import { PorticoError } from '../../errors.ts'
import { clock } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import { parseFields } from '../../wire/fields.ts'
import { HpackFault } from '../../wire/hpack-decoder.ts'
import { mostFieldSize, writeField } from '../../wire/hpack-encoder.ts'
import {
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  encodeGoaway,
  encodeSettings,
  Flag,
  FRAME_HEAD,
  FrameType,
  Http2Code,
  Http2Fault,
  MOST_STREAM,
  MOST_WINDOW,
  PING_FRAME,
  PREFACE,
  readNumber,
  readSettings,
  Setting,
  writeFrameHead,
} from '../../wire/http2.ts'
import { FrameReader } from '../../wire/http2-reader.ts'
import { LONGEST_HEAD } from '../backend/answer.ts'
import { blame } from '../backend/blame.ts'
import type { Opener } from '../backend/open.ts'
import type { Attempt } from '../transport.ts'
import { AnswerBlocks } from './answer-block.ts'
import { BlockParts } from './block-parts.ts'
import { FramesOut } from './frames-out.ts'
import { ANSWER_WINDOW, ClientStream, FIRST_WINDOW, type StreamCarrier } from './stream.ts'

const READ_BUFFER = 65_536
const TICK_MS = 250
/** Of all answers together, bytes: each has its own bound. */
const CONNECTION_WINDOW = 16_777_216
/** Until the backend has said how many it takes at a time (§6.5.2). */
const FIRST_STREAMS = 100
const MOST_TRAILERS = 100
/** A backend that has us answer (PING, SETTINGS) and does not read the answers is given up, bytes. */
const MOST_UNSENT = 67_108_864
const NEVER = Number.POSITIVE_INFINITY

const shared = Buffer.allocUnsafeSlow(READ_BUFFER)

const SETTINGS = encodeSettings([
  [Setting.ENABLE_PUSH, 0],
  [Setting.INITIAL_WINDOW_SIZE, ANSWER_WINDOW],
  [Setting.MAX_HEADER_LIST_SIZE, LONGEST_HEAD],
])
const SETTINGS_ACK = Buffer.alloc(FRAME_HEAD)
writeFrameHead(SETTINGS_ACK, 0, 0, FrameType.SETTINGS, Flag.ACK, 0)
const PING = Buffer.alloc(PING_FRAME)
writeFrameHead(PING, 0, 8, FrameType.PING, 0, 0)

const Phase = { CONNECTING: 0, OPEN: 1, LEAVING: 2, CLOSED: 3 } as const

export interface Http2Owner {
  readonly name: string
  readonly opener: Opener
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveMs: number
  /** Backends are asked over TLS. */
  readonly secure: boolean
  /** The head of a request. Throws PorticoError. */
  blockOf(exchange: Exchange): Buffer
  /** A connection has been made. */
  connected(): void
  /** One could not be. */
  notConnected(): void
  /** The exchange has to be sent on another connection. */
  again(exchange: Exchange, attempt: Attempt): void
  /** The backend cannot be reached for it. */
  refuse(exchange: Exchange, attempt: Attempt, error: PorticoError): void
  /** Nothing is left of it. */
  closed(connection: Http2Backend): void
}

interface Waiting {
  readonly exchange: Exchange
  readonly attempt: Attempt
}

export class Http2Backend implements StreamCarrier {
  /** Only exchanges with this key may use it: see Opener. */
  readonly key: string
  readonly #owner: Http2Owner
  readonly #socket: Socket
  readonly #reader: FrameReader
  readonly #blocks = new AnswerBlocks()
  readonly #streams = new Map<number, ClientStream>()
  #phase: number = Phase.CONNECTING
  #waiting: Waiting[] = []
  #deadline: number
  #trouble: NodeJS.ErrnoException | null = null
  #nextId = 1
  /** Streams that were over in order. */
  #served = 0
  /** What the backend has said of itself. */
  #mostStreams = FIRST_STREAMS
  mostFrame: number = DEFAULT_FRAME_SIZE
  #initialWindow = FIRST_WINDOW
  #sendWindow = DEFAULT_WINDOW
  /** What it has sent of all answers, and does not know that we have taken. */
  #taken = 0
  /** Nothing was heard since a stream was late: asked with a PING, until then on the coarse clock. */
  #pingEnd = NEVER
  /** A header block that goes on in CONTINUATION frames. */
  #parts: BlockParts | null = null
  /** Streams whose head has come in this read. */
  readonly #begun: ClientStream[] = []
  readonly #out: FramesOut

  constructor(owner: Http2Owner, exchange: Exchange) {
    this.#owner = owner
    const { opener } = owner
    this.key = opener.keyed ? opener.keyOf(exchange) : ''
    this.#deadline = this.#later(owner.connectTimeoutMs)
    this.#reader = new FrameReader((...frame) => this.#take(...frame))
    const onread = { buffer: shared, callback: (length: number): boolean => this.#read(length) }
    const socket = opener.open(exchange, onread, () => this.#connected())
    socket.on('end', () => this.#ended())
    socket.on('drain', () => this.#pump())
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#trouble = error
    })
    socket.on('close', () => this.#closed())
    this.#socket = socket
    this.#out = new FramesOut(socket)
  }

  get name(): string {
    return this.#owner.name
  }

  get responseTimeoutMs(): number {
    return this.#owner.responseTimeoutMs
  }

  get bodyTimeoutMs(): number {
    return this.#owner.bodyTimeoutMs
  }

  get sendable(): number {
    return this.#sendWindow
  }

  get congested(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** It takes another exchange. */
  get hasRoom(): boolean {
    if (this.#phase > Phase.OPEN || this.#pingEnd !== NEVER || this.#nextId > MOST_STREAM)
      return false
    return this.#streams.size + this.#waiting.length < this.#mostStreams
  }

  // Requests.

  send(exchange: Exchange, attempt: Attempt): void {
    if (this.#phase === Phase.OPEN) return this.#begin(exchange, attempt)
    const waiting = { exchange, attempt }
    this.#waiting.push(waiting)
    exchange.onGone = () => {
      this.#waiting = this.#waiting.filter((one) => one !== waiting)
      attempt.done()
    }
  }

  #connected(): void {
    if (this.#phase !== Phase.CONNECTING) return
    if (this.#owner.secure && Reflect.get(this.#socket, 'alpnProtocol') !== 'h2') {
      const why = 'it does not speak HTTP/2: https:// in place of h2://'
      this.#trouble = new PorticoError('BACKEND_TLS', `${this.name}: ${why}`)
      this.#socket.destroy()
      return
    }
    this.#phase = Phase.OPEN
    this.#owner.connected()
    this.#deadline = this.#later(this.#owner.keepAliveMs)
    this.#out.put(PREFACE)
    this.#out.put(SETTINGS)
    this.#out.number(FrameType.WINDOW_UPDATE, 0, CONNECTION_WINDOW - DEFAULT_WINDOW)
    for (const { exchange, attempt } of this.#waiting.splice(0)) this.#begin(exchange, attempt)
  }

  #begin(exchange: Exchange, attempt: Attempt): void {
    let block: Buffer
    try {
      block = this.#owner.blockOf(exchange)
    } catch (error) {
      const failure =
        error instanceof PorticoError ? error : new PorticoError('INTERNAL', '', { cause: error })
      exchange.onGone = null
      attempt.done(failure)
      return exchange.fail(failure)
    }
    const id = this.#nextId
    this.#nextId += 2
    const stream = new ClientStream(this, id, this.#initialWindow, exchange, attempt)
    this.#streams.set(id, stream)
    this.#deadline = NEVER
    const { fields } = exchange
    const uploads = fields.chunked || fields.contentLength > 0
    this.#out.headers(id, block, !uploads, this.mostFrame)
    if (uploads) stream.upload()
    else stream.complete()
  }

  sendData(id: number, bytes: Uint8Array, end: boolean): void {
    this.#out.data(id, bytes, end)
    this.#sendWindow -= bytes.length
  }

  sendTrailers(id: number, trailers: string): void {
    const { names, values } = parseFields(trailers, MOST_TRAILERS)
    const most = names.reduce((sum, name, i) => sum + mostFieldSize(name, values[i]!), 0)
    const block = Buffer.allocUnsafe(most)
    let at = 0
    for (const [i, name] of names.entries()) at = writeField(block, at, name, values[i]!)
    this.#out.headers(id, block.subarray(0, at), true, this.mostFrame)
  }

  widen(id: number, bytes: number): void {
    this.#out.number(FrameType.WINDOW_UPDATE, id, bytes)
  }

  again(exchange: Exchange, attempt: Attempt): void {
    this.#owner.again(exchange, attempt)
  }

  over(stream: ClientStream, code: number): void {
    if (!this.#streams.delete(stream.id)) return
    if (code >= 0) this.#out.number(FrameType.RST_STREAM, stream.id, code)
    else this.#served++
    if (this.#streams.size > 0) return
    if (this.#phase === Phase.LEAVING) this.#leaveNow()
    else this.#deadline = this.#later(this.#owner.keepAliveMs)
  }

  /** Bodies that wait for room. */
  #pump(): void {
    for (const stream of this.#streams.values()) {
      if (this.#sendWindow <= 0 || this.congested) return
      stream.pump()
    }
  }

  // What comes.

  #read(length: number): boolean {
    if (this.#phase === Phase.CLOSED) return false
    this.#pingEnd = NEVER
    this.#out.held = true
    try {
      this.#reader.read(shared, 0, length)
      if (this.#socket.writableLength > MOST_UNSENT) {
        throw new Http2Fault(Http2Code.ENHANCE_YOUR_CALM, 'it does not read')
      }
    } catch (error) {
      this.#out.held = false
      this.#broken(error)
      return false
    }
    for (const stream of this.#begun.splice(0)) stream.flush()
    this.#out.held = false
    this.#out.flush()
    return true
  }

  /** See TakeFrame. Throws Http2Fault and HpackFault for what breaks the connection. */
  #take(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    from: number,
    to: number,
    length: number,
  ): boolean {
    if (this.#parts !== null && (type !== FrameType.CONTINUATION || id !== this.#parts.stream)) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a header block that is cut short')
    }
    try {
      this.#judge(type, flags, id, bytes, from, to, length)
    } catch (error) {
      const stream = error instanceof Http2Fault ? error.stream : id
      if (stream === 0 || error instanceof HpackFault) throw error
      const code = error instanceof Http2Fault ? error.code : Http2Code.PROTOCOL_ERROR
      this.#streams.get(stream)?.fail(blame(this.name, asPorticoError(error)), code)
    }
    return this.#phase !== Phase.CLOSED
  }

  #judge(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    from: number,
    to: number,
    length: number,
  ): void {
    switch (type) {
      case FrameType.DATA:
        return this.#data(flags, id, bytes, from, to, length)
      case FrameType.HEADERS:
        // §6.2: five bytes of a priority that nobody has.
        return this.#head(flags, id, bytes, (flags & Flag.PRIORITY) === 0 ? from : from + 5, to)
      case FrameType.CONTINUATION:
        return this.#continued(flags, bytes, from, to)
      case FrameType.RST_STREAM:
        this.#known(id)
        return this.#streams.get(id)?.reset(bytes.readUInt32BE(from))
      case FrameType.SETTINGS:
        return this.#settings(flags, bytes, from, to)
      case FrameType.PUSH_PROMISE:
        throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a push that was not allowed')
      case FrameType.PING:
        return this.#ping(flags, bytes, from)
      case FrameType.GOAWAY:
        return this.#goaway(readNumber(bytes, from), bytes.readUInt32BE(from + 4))
      case FrameType.WINDOW_UPDATE:
        return this.#windowUpdate(id, readNumber(bytes, from))
    }
  }

  /** §5.1: a stream that was never opened is nobody's. */
  #known(id: number): void {
    if (id % 2 === 1 && id < this.#nextId) return
    throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream that nobody has opened')
  }

  #data(flags: number, id: number, bytes: Buffer, from: number, to: number, length: number): void {
    this.#known(id)
    this.#taken += length
    if (this.#taken * 2 >= CONNECTION_WINDOW) {
      this.widen(0, this.#taken)
      this.#taken = 0
    }
    const end = (flags & Flag.END_STREAM) !== 0
    this.#streams.get(id)?.body(bytes.subarray(from, to), length, end)
  }

  #head(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    this.#known(id)
    if (from > to) throw new Http2Fault(Http2Code.FRAME_SIZE_ERROR, 'no room for a priority')
    const end = (flags & Flag.END_STREAM) !== 0
    if ((flags & Flag.END_HEADERS) !== 0) return this.#block(id, bytes, from, to, end)
    this.#parts = new BlockParts(id, end)
    this.#parts.add(bytes, from, to)
  }

  #continued(flags: number, bytes: Buffer, from: number, to: number): void {
    if (this.#parts === null) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'the end of no header block')
    }
    const parts = this.#parts
    parts.add(bytes, from, to)
    if ((flags & Flag.END_HEADERS) === 0) return
    this.#parts = null
    const block = parts.whole()
    this.#block(parts.stream, block, 0, block.length, parts.end)
  }

  #block(id: number, bytes: Buffer, from: number, to: number, end: boolean): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return this.#blocks.skip(bytes, from, to)
    if (stream.answered) {
      const trailers = this.#blocks.trailers(bytes, from, to, id)
      if (!end) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'two heads', id)
      return stream.trailers(trailers)
    }
    stream.head(this.#blocks.head(bytes, from, to, id), end)
    if (!end) this.#begun.push(stream)
  }

  #settings(flags: number, bytes: Buffer, from: number, to: number): void {
    if ((flags & Flag.ACK) !== 0) return
    readSettings(bytes, from, to, (id, value) => {
      if (id === Setting.INITIAL_WINDOW_SIZE) {
        const more = value - this.#initialWindow
        this.#initialWindow = value
        for (const stream of this.#streams.values()) stream.widened(more)
      } else if (id === Setting.MAX_FRAME_SIZE) this.mostFrame = value
      else if (id === Setting.MAX_CONCURRENT_STREAMS) this.#mostStreams = value
      else if (id === Setting.HEADER_TABLE_SIZE && value < 4096) this.#out.tableUpdate = true
    })
    this.#out.put(SETTINGS_ACK)
  }

  #ping(flags: number, bytes: Buffer, from: number): void {
    if ((flags & Flag.ACK) === 0) this.#out.pong(bytes, from)
  }

  /** §6.8: streams above `last` were not processed. */
  #goaway(last: number, code: number): void {
    if (this.#phase === Phase.OPEN) this.#phase = Phase.LEAVING
    for (const stream of [...this.#streams.values()]) {
      if (stream.id > last) stream.unprocessed(`GOAWAY ${code}`)
    }
    if (this.#streams.size === 0) this.#leaveNow()
  }

  #windowUpdate(id: number, more: number): void {
    if (id > 0) this.#known(id)
    if (more === 0) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a window update of 0', id)
    if (id > 0) return this.#streams.get(id)?.widened(more)
    this.#sendWindow += more
    if (this.#sendWindow > MOST_WINDOW) {
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'window too large')
    }
    this.#pump()
  }

  // Ends.

  /** Called at each tick of the clock. */
  check(now: number): void {
    for (const stream of this.#streams.values()) {
      if (now <= stream.deadline) continue
      stream.expire()
      this.#doubt()
    }
    if (now > this.#pingEnd) return this.destroy()
    if (now <= this.#deadline) return
    if (this.#phase === Phase.CONNECTING) {
      this.#trouble = new PorticoError('BACKEND_UNREACHABLE', this.name)
      this.destroy()
    } else if (this.#phase === Phase.OPEN) this.leave()
    else this.destroy()
  }

  /** A stream was late: perhaps nobody is there any more. Others do not wait for that to show. */
  #doubt(): void {
    if (this.#pingEnd !== NEVER || this.#phase > Phase.LEAVING) return
    this.#pingEnd = this.#later(this.#owner.connectTimeoutMs)
    this.#out.put(PING)
  }

  /** Takes no more exchanges. */
  leave(): void {
    if (this.#phase === Phase.CONNECTING && this.#waiting.length === 0) return this.destroy()
    if (this.#phase !== Phase.OPEN) return
    this.#phase = Phase.LEAVING
    if (this.#streams.size === 0) this.#leaveNow()
  }

  #leaveNow(): void {
    if (this.#phase === Phase.CLOSED) return
    this.#out.put(encodeGoaway(0, Http2Code.NO_ERROR))
    this.#out.flush()
    this.#phase = Phase.CLOSED
    this.#socket.destroySoon()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** The backend has broken the protocol. */
  #broken(error: unknown): void {
    const code =
      error instanceof Http2Fault
        ? error.code
        : error instanceof HpackFault
          ? Http2Code.COMPRESSION_ERROR
          : Http2Code.INTERNAL_ERROR
    const failure = blame(this.name, asPorticoError(error))
    this.#out.put(encodeGoaway(0, code))
    this.#out.flush()
    this.#phase = Phase.CLOSED
    for (const stream of [...this.#streams.values()]) stream.fail(failure, -1)
    this.#socket.destroySoon()
  }

  #ended(): void {
    if (this.#phase !== Phase.CONNECTING) this.#socket.destroy()
  }

  #closed(): void {
    const connecting = this.#phase === Phase.CONNECTING
    this.#phase = Phase.CLOSED
    this.#deadline = NEVER
    const trouble = this.#trouble
    this.#owner.closed(this)
    if (connecting) {
      // Without trouble nobody waits for it any more.
      if (trouble !== null) this.#owner.notConnected()
      const error = this.#owner.opener.explain(trouble)
      for (const { exchange, attempt } of this.#waiting.splice(0)) {
        exchange.onGone = null
        this.#owner.refuse(exchange, attempt, error)
      }
      return
    }
    const used = this.#served > 0
    for (const stream of [...this.#streams.values()]) stream.lost(trouble?.code ?? '', used)
  }

  #later(ms: number): number {
    return clock.now + ms + TICK_MS
  }
}

function asPorticoError(error: unknown): PorticoError {
  if (error instanceof PorticoError) return error
  if (error instanceof Http2Fault || error instanceof HpackFault) {
    return new PorticoError('BACKEND_LIED', error.message)
  }
  const detail = error instanceof Error ? error.message : String(error)
  return new PorticoError('INTERNAL', detail, { cause: error })
}
