/**
 * Hot: one visitor's HTTP/2 connection (RFC 9113): frames to streams, settings, windows, deadlines, and an
 * end that loses nothing. Phases:
 *
 *     PREFACE ──preface──▶ OPEN ──drained, idle, or a fault: GOAWAY──▶ CLOSING ──visitor's FIN or deadline──▶ CLOSED
 *
 * A connection that is to go says so twice (§6.8): first that it will, then, when the visitor must have heard
 * that, which request was the last; it closes behind the last answer.
 */
import { PorticoError } from '../../errors.ts'
import type { ByteStream } from '../../listen/byte-stream.ts'
import { clock } from '../../request/clock.ts'
import { errorPage } from '../../request/error-page.ts'
import type { Peer } from '../../request/exchange.ts'
import type { RoutedExchange } from '../../request/flow.ts'
import type { TimeoutsPlan } from '../../site/plan.ts'
import { HpackFault } from '../../wire/hpack-decoder.ts'
import {
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
  NUMBER_FRAME,
  PING_FRAME,
  PREFACE,
  readNumber,
  readSettings,
  Setting,
  writeFrameHead,
  writeNumberFrame,
} from '../../wire/http2.ts'
import { FrameReader } from '../../wire/http2-reader.ts'
import type { Http2Request } from '../../wire/http2-request.ts'
import { parsePriority } from '../../wire/priority.ts'
import type { Kept } from '../connections.ts'
import { SocketPeer } from '../peer.ts'
import { Blocks } from './blocks.ts'
import { Calm } from './calm.ts'
import { Closed, ClosedStreams } from './closed-streams.ts'
import { writeHead } from './encode.ts'
import { Http2Exchange } from './exchange.ts'
import type { Http2Gateway } from './gateway.ts'
import { HeadParts } from './head-parts.ts'
import { Outgoing } from './outgoing.ts'
import { Http2Stream } from './stream.ts'
import { Turns } from './turns.ts'

const Phase = { PREFACE: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
/** How far a connection that is to go has come. */
const Going = { STAYS: 0, WARNED: 1, LEAVES: 2 } as const

/** Of bodies that somebody reads, the window of the connection, bytes. */
const READ_WINDOW = 1_048_576
/** Unsent bytes beyond which no more of any answer is made frames of: that can still be another's. */
const MOST_AHEAD = 131_072
/** Unsent bytes beyond which nothing is read: they are answers to frames that cost their sender little. */
const MOST_UNREAD = 524_288
/**
 * How long requests are taken after the warning, ms: programs go on for a while after their HTTP/2 has
 * read it, so an answer to a PING would say nothing.
 */
const WARNING_MS = 1_000
/** As HTTP/1's: a closing connection is read so long after the last bytes, and at most so long. */
const LINGER_MS = 2_000
const MOST_LINGER_MS = 30_000
/** Numbers of streams end before the last one. */
const LATE_STREAM: number = MOST_STREAM - 1_000_000
const FOR_EVER = Number.POSITIVE_INFINITY

const SETTINGS_ACK = encodeSettings([])
SETTINGS_ACK[4] = Flag.ACK

export class Http2Connection implements Kept {
  readonly socket: ByteStream
  place = 0
  /** See Connections.eachExchange: there are many. */
  readonly current: null = null
  readonly out: Outgoing
  readonly #gateway: Http2Gateway
  #peer: Peer | null
  #phase: number = Phase.PREFACE
  #going: number = Going.STAYS
  readonly #reader: FrameReader
  readonly #blocks: Blocks
  readonly #calm = new Calm()
  readonly #streams = new Map<number, Http2Stream>()
  readonly #closed = new ClosedStreams()
  readonly #turns = new Turns<Http2Stream>()
  /** Bytes of the preface that have come. */
  #greeted = 0
  /** The visitor's settings have come, and it has acknowledged ours. */
  #told = false
  #acknowledged = false
  /** A header block that is not complete. */
  #head: HeadParts | null = null
  /** The last stream that the visitor has opened; the last one that is served when we leave. */
  #last = 0
  #lastServed = MOST_STREAM
  #requests = 0

  #sendWindow = DEFAULT_WINDOW
  /** Of a new stream, as the visitor has it. */
  #initialWindow = DEFAULT_WINDOW
  #receiveWindow = DEFAULT_WINDOW
  #taken = 0
  #target = DEFAULT_WINDOW

  /** Inside `read`: what is to be sent leaves at its end. */
  #reading = false
  #scheduled = false
  /** Nothing is read until the visitor has taken what it is owed. */
  #paused = false
  #visitorEnded = false
  #sendStalled = false
  #queued = 0
  #lingerEnd = 0
  /** On `clock.now`: of the phase, of a header block, of the acknowledgement. */
  #deadline: number
  #headDeadline = FOR_EVER
  #settingsDeadline = FOR_EVER
  #sendDeadline = FOR_EVER
  #warningEnd = FOR_EVER
  /** Bytes of answers' bodies, and as they were when they were last looked at. */
  #spent = 0
  #spentBefore = 0

  constructor(gateway: Http2Gateway, socket: ByteStream, peer: Peer | undefined) {
    this.#gateway = gateway
    this.socket = socket
    this.#peer = peer ?? null
    this.out = new Outgoing(socket, gateway.countSent)
    this.#blocks = new Blocks(gateway.limits)
    this.#reader = new FrameReader((type, flags, stream, bytes, from, to, length) => {
      this.#frame(type, flags, stream, bytes, from, to, length)
      return this.#phase === Phase.OPEN
    })
    this.#deadline = clock.now + gateway.timeouts.headMs
  }

  get dev(): boolean {
    return this.#gateway.dev
  }

  get serverName(): string {
    return this.#gateway.serverName
  }

  get timeouts(): TimeoutsPlan {
    return this.#gateway.timeouts
  }

  get tunnelMs(): number {
    return this.#gateway.tunnelMs
  }

  /** Streams that are open. */
  get streams(): number {
    return this.#streams.size
  }

  eachExchange(visit: (exchange: RoutedExchange) => void): void {
    for (const { exchange } of this.#streams.values()) if (exchange !== null) visit(exchange)
  }

  // From the socket.

  read(bytes: Buffer, length: number): boolean {
    this.#gateway.counters.received(length)
    if (this.#phase > Phase.OPEN) {
      if (this.#phase === Phase.CLOSING) this.#linger()
      return true
    }
    this.#reading = true
    try {
      const at = this.#phase === Phase.PREFACE ? this.#preface(bytes, length) : 0
      if (at < length) this.#reader.read(bytes, at, length)
    } catch (error) {
      this.#fault(error)
    }
    this.#reading = false
    this.#flush()
    this.#paused = this.socket.writableLength > MOST_UNREAD
    return !this.#paused
  }

  /** §3.4. Returns where it ends, or `length`. */
  #preface(bytes: Buffer, length: number): number {
    let at = 0
    while (at < length && this.#greeted < PREFACE.length) {
      if (bytes[at++] !== PREFACE[this.#greeted++]) {
        throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'not the preface of HTTP/2')
      }
    }
    if (this.#greeted === PREFACE.length) {
      this.#phase = Phase.OPEN
      this.out.put(this.#gateway.greeting)
      this.#settingsDeadline = clock.now + this.timeouts.headMs
      this.#deadline = clock.now + this.#gateway.idleMs
      if (this.#gateway.draining) this.#warn()
    }
    return at
  }

  ended(): void {
    this.#visitorEnded = true
    if (this.#phase !== Phase.OPEN) {
      this.#phase = Phase.CLOSED
      this.socket.end()
      return
    }
    for (const stream of this.#streams.values()) stream.visitorEnded()
    this.#deadline = clock.now + this.timeouts.abandonMs
    this.#closeIfOver()
  }

  closed(): void {
    this.#phase = Phase.CLOSED
    this.out.drop()
    this.#loseStreams()
    this.#gateway.forget(this)
  }

  drained(): void {
    this.#sent()
    this.#flush()
    if (!this.#paused || this.socket.writableLength > 0) return
    this.#paused = false
    this.socket.resume()
  }

  // Frames.

  #frame(
    type: number,
    flags: number,
    id: number,
    bytes: Buffer,
    from: number,
    to: number,
    length: number,
  ): void {
    if (this.#head !== null && (type !== FrameType.CONTINUATION || id !== this.#head.stream)) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a frame inside of a header block')
    }
    if (!this.#told && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'no settings first')
    }
    try {
      switch (type) {
        case FrameType.DATA:
          return this.#data(flags, id, bytes, from, to, length)
        case FrameType.HEADERS:
          return this.#headers(flags, id, bytes, from, to)
        case FrameType.CONTINUATION:
          return this.#continuation(flags, bytes, from, to)
        case FrameType.WINDOW_UPDATE:
          return this.#windowUpdate(id, readNumber(bytes, from))
        case FrameType.RST_STREAM:
          return this.#rstStream(id)
        case FrameType.SETTINGS:
          return this.#settings(flags, bytes, from, to)
        case FrameType.PING:
          return this.#ping(flags, bytes, from)
        case FrameType.PRIORITY:
          return this.#priority(id, bytes, from, length)
        case FrameType.PRIORITY_UPDATE:
          return this.#priorityUpdate(bytes, from, to)
        case FrameType.GOAWAY:
          // It opens no more streams; those that are open go on.
          return this.#calm.idle()
        case FrameType.PUSH_PROMISE:
          throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a promise of a client')
        default:
          // §4.1: unknown types are for others.
          this.#calm.idle()
      }
    } catch (error) {
      if (!(error instanceof Http2Fault) || error.stream === 0) throw error
      this.#streamFault(error)
    }
  }

  /** Nobody has opened it. */
  #isIdle(id: number): boolean {
    return id > this.#last || (id & 1) === 0
  }

  #data(flags: number, id: number, bytes: Buffer, from: number, to: number, length: number): void {
    this.#receiveWindow -= length
    if (this.#receiveWindow < 0) {
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'more than the window')
    }
    const end = (flags & Flag.END_STREAM) !== 0
    if (to === from && !end) this.#calm.idle()
    else this.#calm.useful(1)
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      if (this.#isIdle(id)) throw idleStream()
      this.credit(length)
      return this.#late(id)
    }
    if (stream.remoteClosed) {
      this.credit(length)
      throw new Http2Fault(Http2Code.STREAM_CLOSED, 'DATA behind the end', id)
    }
    stream.data(bytes, from, to, length, end)
  }

  /** Something of a stream that is closed. */
  #late(id: number): void {
    this.#calm.idle()
    const what = this.#closed.what(id)
    if (what === Closed.RESET || (what === Closed.UNKNOWN && this.#closed.full)) return
    throw new Http2Fault(Http2Code.STREAM_CLOSED, 'the stream is closed')
  }

  #headers(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    let at = from
    let itself = false
    if ((flags & Flag.PRIORITY) !== 0) {
      if (to - from < 5) throw new Http2Fault(Http2Code.FRAME_SIZE_ERROR, 'no priority')
      // The order of RFC 7540 is no longer kept; one thing about it is still an error.
      itself = readNumber(bytes, from) === id
      at += 5
    }
    const end = (flags & Flag.END_STREAM) !== 0
    if ((flags & Flag.END_HEADERS) !== 0) return this.#block(id, end, itself, bytes, at, to)
    this.#head = new HeadParts(id, end, itself, this.#gateway.limits.head)
    this.#head.add(bytes, at, to)
    this.#headDeadline = clock.now + this.timeouts.headMs
  }

  #continuation(flags: number, bytes: Buffer, from: number, to: number): void {
    const head = this.#head
    if (head === null) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'CONTINUATION of nothing')
    }
    head.add(bytes, from, to)
    if ((flags & Flag.END_HEADERS) === 0) return
    this.#head = null
    this.#headDeadline = FOR_EVER
    const block = head.whole()
    this.#block(head.stream, head.end, head.itself, block, 0, block.length)
  }

  /** A complete header block: a request, or trailers. */
  #block(id: number, end: boolean, itself: boolean, bytes: Buffer, from: number, to: number): void {
    const known = this.#streams.get(id)
    if (known !== undefined) return this.#trailers(known, end, bytes, from, to)
    if ((id & 1) === 0) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'an even stream')
    if (id <= this.#last) {
      if (this.#closed.what(id) === Closed.UNKNOWN) {
        throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream before the last one')
      }
      this.#blocks.skip(bytes, from, to)
      return this.#late(id)
    }
    this.#last = id
    if (itself) {
      this.#blocks.skip(bytes, from, to)
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream that depends on itself', id)
    }
    if (id > this.#lastServed || this.#streams.size >= this.#gateway.http2.streams) {
      this.#blocks.skip(bytes, from, to)
      // §8.7: nothing was done about it, so it may be asked again.
      if (id <= this.#lastServed) this.#tooMany()
      throw new Http2Fault(Http2Code.REFUSED_STREAM, 'too many streams', id)
    }
    let request: Http2Request
    try {
      request = this.#blocks.request(bytes, from, to, id, end)
    } catch (error) {
      if (error instanceof PorticoError) return this.#refuse(id, end, error)
      if (error instanceof Http2Fault) {
        this.#log(new PorticoError('BAD_FIELD', error.message), this.#blocks.told)
      }
      throw error
    }
    this.#begin(id, end, request)
  }

  #tooMany(): void {
    this.#gateway.counters.http2Refused()
    this.#calm.reset()
  }

  #begin(id: number, end: boolean, request: Http2Request): void {
    this.#calm.useful(4)
    this.#deadline = FOR_EVER
    const { fields, tunnel, priority } = request
    const length = fields.chunked || tunnel ? -1 : fields.contentLength
    const stream = new Http2Stream(this, id, priority, this.#initialWindow, end, length)
    this.#streams.set(id, stream)
    this.#peer ??= new SocketPeer(this.socket)
    const exchange = new Http2Exchange(stream, request, end, this.#peer, this.#gateway.limits.body)
    stream.exchange = exchange
    this.#gateway.counters.http2Requested()
    this.#gateway.flow.begin(exchange)
    if (!end) stream.watch()
    if (++this.#requests >= this.#gateway.http2.requests || id > LATE_STREAM) this.#warn()
  }

  #trailers(stream: Http2Stream, end: boolean, bytes: Buffer, from: number, to: number): void {
    const { id } = stream
    if (stream.remoteClosed) {
      this.#blocks.skip(bytes, from, to)
      throw new Http2Fault(Http2Code.STREAM_CLOSED, 'HEADERS behind the end', id)
    }
    const block = this.#blocks.trailers(bytes, from, to, id)
    if (!end) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'trailers before the end', id)
    stream.trailers(block)
  }

  /** Answers what is no request that we take, and wants no more of it. */
  #refuse(id: number, end: boolean, error: PorticoError): void {
    const { head, body } = errorPage(error, null, this.dev)
    const { out } = this
    const fits = this.#initialWindow >= body.length && this.#sendWindow >= body.length
    writeHead(out, id, head, body.length, this.serverName, '', !fits)
    if (fits) {
      const at = out.room(FRAME_HEAD + body.length)
      const payload = writeFrameHead(
        out.bytes,
        at,
        body.length,
        FrameType.DATA,
        Flag.END_STREAM,
        id,
      )
      out.bytes.set(body, payload)
      out.at = payload + body.length
      this.#sendWindow -= body.length
    }
    this.#log(error, this.#blocks.told, fits ? body.length : 0)
    if (!end) this.#writeNumber(FrameType.RST_STREAM, id, Http2Code.NO_ERROR)
    this.#closed.add(id, !end)
    this.#idle()
  }

  /** `line`: of the request, '' where it is about none. */
  #log(error: PorticoError, line: string, sent = 0): void {
    this.#peer ??= new SocketPeer(this.socket)
    this.#gateway.flow.refused(error, line, this.#peer, sent)
  }

  #windowUpdate(id: number, increment: number): void {
    this.#calm.idle()
    if (id === 0) {
      if (increment === 0) throw noIncrement(0)
      this.#sendWindow += increment
      if (this.#sendWindow > MOST_WINDOW) {
        throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'window too large')
      }
      return
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      if (this.#isIdle(id)) throw idleStream()
      return
    }
    if (increment === 0) throw noIncrement(id)
    stream.widen(increment)
  }

  #rstStream(id: number): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      if (this.#isIdle(id)) throw idleStream()
      return this.#calm.idle()
    }
    if (!stream.localClosed) this.#calm.reset()
    this.forget(stream, false)
  }

  #settings(flags: number, bytes: Buffer, from: number, to: number): void {
    if ((flags & Flag.ACK) !== 0) {
      this.#acknowledged = true
      return this.#calm.idle()
    }
    this.#told = true
    this.#calm.idle(10)
    readSettings(bytes, from, to, (id, value) => {
      if (id === Setting.INITIAL_WINDOW_SIZE) this.#setInitialWindow(value)
      // RFC 7541 §4.2: our table, which we do not use, must not be larger than that.
      else if (id === Setting.HEADER_TABLE_SIZE && value < 4096) this.out.tableUpdate = true
    })
    this.out.put(SETTINGS_ACK)
  }

  #setInitialWindow(value: number): void {
    const difference = value - this.#initialWindow
    this.#initialWindow = value
    for (const stream of this.#streams.values()) {
      if (stream.adjust(difference)) continue
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'window too large')
    }
  }

  #ping(flags: number, bytes: Buffer, from: number): void {
    this.#calm.idle()
    if ((flags & Flag.ACK) !== 0) return
    const { out } = this
    const at = out.room(PING_FRAME)
    const payload = writeFrameHead(out.bytes, at, 8, FrameType.PING, Flag.ACK, 0)
    bytes.copy(out.bytes, payload, from, from + 8)
    out.at = payload + 8
  }

  #priority(id: number, bytes: Buffer, from: number, length: number): void {
    this.#calm.idle()
    if (length !== 5) throw new Http2Fault(Http2Code.FRAME_SIZE_ERROR, 'PRIORITY', id)
    if (readNumber(bytes, from) === id) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream that depends on itself', id)
    }
  }

  /** RFC 9218 §7.1. Of a stream that is still to come nothing is remembered. */
  #priorityUpdate(bytes: Buffer, from: number, to: number): void {
    this.#calm.idle()
    const id = readNumber(bytes, from)
    if (id === 0) throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'the priority of stream 0')
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    const waits = stream.line >= 0
    this.#turns.remove(stream)
    stream.priority = parsePriority(bytes.toString('latin1', from + 4, to))
    if (waits) this.#turns.add(stream)
  }

  // Faults.

  #streamFault(fault: Http2Fault): void {
    const stream = this.#streams.get(fault.stream)
    if (stream !== undefined) {
      const { exchange } = stream
      if (exchange !== null) exchange.error ??= new PorticoError('BAD_HTTP2', fault.message)
      return this.reset(stream, fault.code)
    }
    if (this.#isIdle(fault.stream)) throw new Http2Fault(fault.code, fault.message)
    this.#writeNumber(FrameType.RST_STREAM, fault.stream, fault.code)
    this.#closed.add(fault.stream, true)
    this.#idle()
  }

  /** The connection cannot go on. */
  #fault(error: unknown): void {
    if (error instanceof Http2Fault) return this.#blame(error.code, error.message)
    if (error instanceof HpackFault) {
      return this.#blame(Http2Code.COMPRESSION_ERROR, error.message)
    }
    this.#gateway.report(error)
    this.#log(new PorticoError('INTERNAL', '', { cause: error }), '')
    this.#shut(Http2Code.INTERNAL_ERROR, '')
  }

  /** The visitor has done something that nobody may. */
  #blame(code: number, wrong: string): void {
    this.#log(new PorticoError('BAD_HTTP2', wrong), '')
    this.#gateway.counters.http2Faulted()
    this.#shut(code, wrong)
  }

  // For streams.

  /** Bytes that may be made frames of now. */
  get sendable(): number {
    return this.out.backlog >= MOST_AHEAD ? 0 : this.#sendWindow
  }

  /** Whether so many bytes may be sent before anybody else's. */
  mayWrite(bytes: number): boolean {
    return this.#turns.none && this.sendable >= bytes
  }

  /** So many bytes are in a frame. */
  spend(bytes: number): void {
    this.#sendWindow -= bytes
    this.#spent += bytes
    if (bytes > 255) this.#calm.useful(2)
  }

  /** The stream has something to send, and the window for it. */
  wait(stream: Http2Stream): void {
    this.#turns.add(stream)
    this.touch()
  }

  /** What was written leaves soon, with what else is written until then. */
  touch(): void {
    if (this.#reading || this.#scheduled) return
    this.#scheduled = true
    process.nextTick(Http2Connection.#flushLater, this)
  }

  static #flushLater(connection: Http2Connection): void {
    connection.#scheduled = false
    connection.#flush()
  }

  #flush(): void {
    if (this.#phase === Phase.CLOSED) return this.out.drop()
    const turns = this.#turns
    while (!turns.none && this.sendable > 0) {
      const stream = turns.next()!
      if (stream.turn()) turns.add(stream)
    }
    this.out.flush()
    this.#watchSending()
  }

  #watchSending(): void {
    if (this.socket.writableLength === 0 || this.#sendStalled) return
    this.#sendStalled = true
    this.#queued = this.socket.queueSize
    this.#sendDeadline = clock.now + this.timeouts.sendMs
  }

  /** Bodies are read: the window of the connection is not to be what limits them. */
  enlarge(): void {
    if (this.#target === READ_WINDOW) return
    this.#target = READ_WINDOW
    this.#taken += READ_WINDOW - DEFAULT_WINDOW
    this.credit(0)
  }

  /** So many bytes are off our hands. */
  credit(bytes: number): void {
    this.#taken += bytes
    if (this.#taken * 2 < this.#target || this.#phase !== Phase.OPEN) return
    this.#receiveWindow += this.#taken
    this.widen(0, this.#taken)
    this.#taken = 0
  }

  /** Tells the visitor that it may send so much more. */
  widen(id: number, bytes: number): void {
    this.#writeNumber(FrameType.WINDOW_UPDATE, id, bytes)
  }

  #writeNumber(type: number, id: number, value: number): void {
    const { out } = this
    const at = out.room(NUMBER_FRAME)
    out.at = writeNumberFrame(out.bytes, at, type, id, value)
    this.touch()
  }

  finished(exchange: Http2Exchange): void {
    this.#gateway.flow.finished(exchange)
  }

  /** Ends a stream at once. */
  reset(stream: Http2Stream, code: number): void {
    if (!this.#streams.has(stream.id)) return
    this.#writeNumber(FrameType.RST_STREAM, stream.id, code)
    this.forget(stream, true)
  }

  /** The stream is over. `reset`: on our word, so that something of it may still be on its way. */
  forget(stream: Http2Stream, reset: boolean): void {
    if (!this.#streams.delete(stream.id)) return
    this.#closed.add(stream.id, reset)
    this.#turns.remove(stream)
    stream.close()
    this.#idle()
  }

  #idle(): void {
    if (this.#streams.size > 0) return
    if (!this.#visitorEnded) this.#deadline = clock.now + this.#gateway.idleMs
    this.#closeIfOver()
  }

  // Deadlines and ends.

  /** Called at each tick of the clock. */
  check(now: number): void {
    if (this.#phase === Phase.OPEN) {
      this.#calm.tick()
      const full = this.#receiveWindow <= 0
      for (const stream of this.#streams.values()) stream.check(now, full)
      if (this.#going === Going.WARNED && now >= this.#warningEnd) this.#leave()
      if (!this.#acknowledged && now >= this.#settingsDeadline) {
        return this.#fault(new Http2Fault(Http2Code.SETTINGS_TIMEOUT, 'no answer to our settings'))
      }
      if (now >= this.#headDeadline) {
        return this.#fault(new Http2Fault(Http2Code.ENHANCE_YOUR_CALM, 'a slow header block'))
      }
    }
    if (this.#sendStalled) {
      if (this.socket.writableLength === 0) this.#sent()
      else if (now >= this.#sendDeadline) {
        if (!this.#progressed()) return this.socket.destroy()
        this.#sendDeadline = now + this.timeouts.sendMs
      }
    }
    // What was said last may still be on its way.
    if (this.#sendStalled && this.#phase === Phase.CLOSING) return
    if (now >= this.#deadline) this.#expired(now)
  }

  /** The kernel has everything. A socket that was ended does not tell. */
  #sent(): void {
    this.#sendStalled = false
    if (this.#phase === Phase.CLOSING) this.#linger()
  }

  #expired(now: number): void {
    if (this.#phase === Phase.PREFACE) {
      // Opened and never used: nothing is owed.
      this.#phase = Phase.CLOSED
      this.socket.end()
      return this.socket.destroySoon()
    }
    if (this.#phase === Phase.OPEN && this.#streams.size === 0) return this.#shut(0, '')
    // A visitor that has ended is answered for as long as something of the answers comes.
    if (this.#phase === Phase.OPEN && this.#spent !== this.#spentBefore) {
      this.#spentBefore = this.#spent
      this.#deadline = now + this.timeouts.abandonMs
      return
    }
    this.socket.destroy()
  }

  /** How much the kernel has taken of a large write shows only in the handle's queue. */
  #progressed(): boolean {
    const before = this.#queued
    this.#queued = this.socket.queueSize
    return this.#queued !== before
  }

  drain(idleMs: number): void {
    if (this.#phase === Phase.OPEN) this.#warn()
    else this.#deadline = Math.min(this.#deadline, clock.now + idleMs)
  }

  /** §6.8: says that there will be a last request. Those that are on their way are still taken. */
  #warn(): void {
    if (this.#going !== Going.STAYS) return
    this.#going = Going.WARNED
    this.#warningEnd = clock.now + WARNING_MS
    this.out.put(encodeGoaway(MOST_STREAM, Http2Code.NO_ERROR))
    this.touch()
  }

  /** Says which request was the last. */
  #leave(): void {
    this.#going = Going.LEAVES
    this.#lastServed = this.#last
    this.out.put(encodeGoaway(this.#last, Http2Code.NO_ERROR))
    this.touch()
    this.#closeIfOver()
  }

  #closeIfOver(): void {
    if (this.#phase !== Phase.OPEN || this.#streams.size > 0) return
    if (this.#going === Going.LEAVES || this.#visitorEnded) this.#shut(Http2Code.NO_ERROR, '')
  }

  /** Closes in stages, or a reset destroys what was said last before the visitor reads it. */
  #shut(code: number, reason: string): void {
    if (this.#phase >= Phase.CLOSING) return
    const said = this.#going === Going.LEAVES && code === Http2Code.NO_ERROR
    if (!said) this.out.put(encodeGoaway(this.#last, code, reason))
    this.#phase = Phase.CLOSING
    this.#loseStreams()
    this.out.flush()
    this.#watchSending()
    this.#lingerEnd = clock.now + MOST_LINGER_MS
    this.#linger()
    this.socket.end()
    if (this.#visitorEnded) this.socket.destroySoon()
  }

  #linger(): void {
    this.#deadline = Math.min(clock.now + LINGER_MS, this.#lingerEnd)
  }

  #loseStreams(): void {
    for (const stream of this.#streams.values()) this.forget(stream, true)
  }
}

function idleStream(): Http2Fault {
  return new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a stream that nobody has opened')
}

function noIncrement(stream: number): Http2Fault {
  return new Http2Fault(Http2Code.PROTOCOL_ERROR, 'a window update of 0', stream)
}
