/**
 * Hot: one visitor's HTTP/2 connection (RFC 9113): requests that begin, answers that leave in turn, deadlines,
 * and an end that loses nothing. What frames mean is judged in `frames.ts`. Phases:
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
  encodeGoaway,
  Flag,
  FRAME_HEAD,
  FrameType,
  Http2Code,
  Http2Fault,
  MOST_STREAM,
  NUMBER_FRAME,
  PREFACE,
  writeFrameHead,
  writeNumberFrame,
} from '../../wire/http2.ts'
import type { Http2Request } from '../../wire/http2-request.ts'
import type { Priority } from '../../wire/priority.ts'
import type { Kept } from '../connections.ts'
import { SocketPeer } from '../peer.ts'
import { writeHead } from './encode.ts'
import { Http2Exchange } from './exchange.ts'
import { Frames } from './frames.ts'
import type { Http2Gateway } from './gateway.ts'
import { Outgoing } from './outgoing.ts'
import { Http2Stream } from './stream.ts'
import { Streams } from './streams.ts'
import { Turns } from './turns.ts'
import { Windows } from './windows.ts'

const Phase = { PREFACE: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
/** How far a connection that is to go has come. */
const Going = { STAYS: 0, WARNED: 1, LEAVES: 2 } as const

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
  readonly streams: Streams = new Streams()
  readonly windows: Windows = new Windows()
  readonly #frames: Frames
  readonly #turns = new Turns<Http2Stream>()
  /** Bytes of the preface that have come. */
  #greeted = 0
  #requests = 0

  /** Inside `read`: what is to be sent leaves at its end. */
  #reading = false
  #scheduled = false
  /** Nothing is read until the visitor has taken what it is owed. */
  #paused = false
  #visitorEnded = false
  #sendStalled = false
  #queued = 0
  #lingerEnd = 0
  /** On `clock.now`: of the phase, of the acknowledgement, of what is being sent, of the warning. */
  #deadline: number
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
    this.#frames = new Frames(this, gateway)
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

  /** More frames are taken. */
  get open(): boolean {
    return this.#phase === Phase.OPEN
  }

  eachExchange(visit: (exchange: RoutedExchange) => void): void {
    for (const { exchange } of this.streams.all()) if (exchange !== null) visit(exchange)
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
      if (at < length) this.#frames.read(bytes, at, length)
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
    for (const stream of this.streams.all()) stream.visitorEnded()
    this.#deadline = clock.now + this.timeouts.abandonMs
    this.#closeIfOver()
  }

  closed(): void {
    this.#phase = Phase.CLOSED
    this.out.drop()
    this.#loseStreams()
    this.windows.drop()
    this.#gateway.forget(this)
  }

  drained(): void {
    this.#sent()
    this.#flush()
    if (!this.#paused || this.socket.writableLength > 0) return
    this.#paused = false
    this.socket.resume()
  }

  // Streams.

  /** A request has come. `end`: nothing comes behind it. */
  begin(id: number, end: boolean, request: Http2Request): void {
    this.#deadline = FOR_EVER
    const { fields, tunnel, priority } = request
    const length = fields.chunked || tunnel ? -1 : fields.contentLength
    const stream = new Http2Stream(this, id, priority, this.windows.initial, end, length)
    this.streams.add(stream)
    this.#peer ??= new SocketPeer(this.socket)
    const exchange = new Http2Exchange(stream, request, end, this.#peer, this.#gateway.limits.body)
    stream.exchange = exchange
    this.#gateway.counters.http2Requested()
    this.#gateway.flow.begin(exchange)
    if (!end) stream.watch()
    if (++this.#requests >= this.#gateway.http2.requests || id > LATE_STREAM) this.#warn()
  }

  /** Answers what is no request that we take, and wants no more of it. */
  refuse(id: number, end: boolean, error: PorticoError, line: string): void {
    const { head, body } = errorPage(error, null, this.dev)
    const { windows, out } = this
    const fits = windows.initial >= body.length && windows.send >= body.length
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
      windows.send -= body.length
    }
    this.log(error, line, fits ? body.length : 0)
    if (!end) return this.pass(id, Http2Code.NO_ERROR)
    this.streams.passed(id, false)
    this.#idle()
  }

  /** `line`: of the request, '' where it is about none. */
  log(error: PorticoError, line: string, sent = 0): void {
    this.#peer ??= new SocketPeer(this.socket)
    this.#gateway.flow.refused(error, line, this.#peer, sent)
  }

  // Faults.

  /** The connection cannot go on. */
  #fault(error: unknown): void {
    if (error instanceof Http2Fault) return this.#blame(error.code, error.message)
    if (error instanceof HpackFault) {
      return this.#blame(Http2Code.COMPRESSION_ERROR, error.message)
    }
    this.#gateway.report(error)
    this.log(new PorticoError('INTERNAL', '', { cause: error }), '')
    this.#shut(Http2Code.INTERNAL_ERROR, '')
  }

  /** The visitor has done something that nobody may. */
  #blame(code: number, wrong: string): void {
    this.log(new PorticoError('BAD_HTTP2', wrong), '')
    this.#gateway.counters.http2Faulted()
    this.#shut(code, wrong)
  }

  // For streams.

  /** Bytes that may be made frames of now. */
  get sendable(): number {
    return this.out.backlog >= MOST_AHEAD ? 0 : this.windows.send
  }

  /** Whether so many bytes may be sent before anybody else's. */
  mayWrite(bytes: number): boolean {
    return this.#turns.none && this.sendable >= bytes
  }

  /** So many bytes are in a frame. */
  spend(bytes: number): void {
    this.windows.send -= bytes
    this.#spent += bytes
    this.#frames.sent(bytes)
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

  /** One more body is read fast: the window of the connection is not to be what limits it. */
  enlarge(): boolean {
    const told = this.windows.enlarge()
    if (told > 0 && this.#phase === Phase.OPEN) this.widen(0, told)
    return told >= 0
  }

  /** So many bytes are off our hands. */
  credit(bytes: number): void {
    const told = this.windows.credit(bytes)
    if (told > 0 && this.#phase === Phase.OPEN) this.widen(0, told)
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

  /** Ends a stream that was never open. */
  pass(id: number, code: number): void {
    this.#writeNumber(FrameType.RST_STREAM, id, code)
    this.streams.passed(id, true)
    this.#idle()
  }

  /** Another place among those that wait. */
  prefer(stream: Http2Stream, priority: Priority): void {
    const waits = stream.line >= 0
    this.#turns.remove(stream)
    stream.priority = priority
    if (waits) this.#turns.add(stream)
  }

  finished(exchange: Http2Exchange): void {
    this.#gateway.flow.finished(exchange)
  }

  /** Ends a stream at once. */
  reset(stream: Http2Stream, code: number): void {
    if (!this.streams.has(stream.id)) return
    this.#writeNumber(FrameType.RST_STREAM, stream.id, code)
    this.forget(stream, true)
  }

  /** The stream is over. `reset`: on our word, so that something of it may still be on its way. */
  forget(stream: Http2Stream, reset: boolean): void {
    if (!this.streams.remove(stream.id, reset)) return
    this.#turns.remove(stream)
    stream.close()
    this.#idle()
  }

  #idle(): void {
    if (this.streams.size > 0) return
    if (!this.#visitorEnded) this.#deadline = clock.now + this.#gateway.idleMs
    this.#closeIfOver()
  }

  // Deadlines and ends.

  /** Called at each tick of the clock. */
  check(now: number): void {
    if (this.#phase === Phase.OPEN) {
      this.#frames.tick()
      const { full } = this.windows
      for (const stream of this.streams.all()) stream.check(now, full)
      if (this.#going === Going.WARNED && now >= this.#warningEnd) this.#leave()
      if (!this.#frames.acknowledged && now >= this.#settingsDeadline) {
        return this.#fault(new Http2Fault(Http2Code.SETTINGS_TIMEOUT, 'no answer to our settings'))
      }
      if (now >= this.#frames.headDeadline) {
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
    if (this.#phase === Phase.OPEN && this.streams.size === 0) return this.#shut(0, '')
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
    this.streams.lastServed = this.streams.last
    this.out.put(encodeGoaway(this.streams.last, Http2Code.NO_ERROR))
    this.touch()
    this.#closeIfOver()
  }

  #closeIfOver(): void {
    if (this.#phase !== Phase.OPEN || this.streams.size > 0) return
    if (this.#going === Going.LEAVES || this.#visitorEnded) this.#shut(Http2Code.NO_ERROR, '')
  }

  /** Closes in stages, or a reset destroys what was said last before the visitor reads it. */
  #shut(code: number, reason: string): void {
    if (this.#phase >= Phase.CLOSING) return
    const said = this.#going === Going.LEAVES && code === Http2Code.NO_ERROR
    if (!said) this.out.put(encodeGoaway(this.streams.last, code, reason))
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
    for (const stream of this.streams.all()) this.forget(stream, true)
  }
}
