/**
 * Hot: one visitor's HTTP/1.1 connection (RFC 9112): finds heads in what is read, runs one exchange at
 * a time, keeps deadlines, closes without losing the last answer. Phases, each with its deadline:
 *
 *     IDLE ──first byte──▶ HEAD ──complete──▶ BUSY (BODY while the body is read) ──answered──▶ IDLE
 *     any ──last answer──▶ LINGER ──visitor's FIN or deadline──▶ closed
 *     BUSY ──upgrade──▶ TUNNEL
 *     IDLE, HEAD ──the preface of HTTP/2──▶ SWITCHED: the rest is another gateway's
 *
 * Requests that come while one is in hand wait in `#pending`; when that is large, reading pauses.
 */
import { PorticoError } from '../../errors.ts'
import type { ByteStream, Connection } from '../../listen/byte-stream.ts'
import { clock } from '../../request/clock.ts'
import { errorPage } from '../../request/error-page.ts'
import type { Peer } from '../../request/exchange.ts'
import { Memo } from '../../wire/memo.ts'
import { parseRequestFields, type RequestFields } from '../../wire/request-fields.ts'
import { parseRequestLine, type RequestLine } from '../../wire/request-line.ts'
import { sendFileTo } from '../handle.ts'
import { SocketPeer } from '../peer.ts'
import { encodeHead, join } from './encode.ts'
import { Http1Exchange } from './exchange.ts'
import type { Http1Gateway } from './gateway.ts'
import type { Tunnel } from './tunnel.ts'

const Phase = { IDLE: 0, HEAD: 1, BUSY: 2, LINGER: 3, TUNNEL: 4, CLOSED: 5, SWITCHED: 6 } as const

/** Pipelined bytes kept while a request is in hand, before reading pauses. */
const MOST_PENDING = 65_536
/** Unsent bytes of answers beyond which a visitor's next request waits until it has read them. */
const MOST_UNSENT = 65_536
/**
 * A closing connection is read so that no reset eats its last answer: this long after the last bytes
 * came, since some visitors read nothing before all of their upload is sent, but not for ever.
 */
const LINGER_MS = 2_000
const MOST_LINGER_MS = 30_000
/** What comes with less is looked through byte by byte. */
const FEW = 16
/** Heads are rarely longer: so much is searched first, not all that came with it. */
const USUAL_HEAD = 2048
const LF = 0x0a
const CR = 0x0d
/** How HTTP/2 begins (RFC 9113 §3.4): made so that HTTP/1 takes it for a request it does not know. */
const PREFACE_LINE = 'PRI * HTTP/2.0'

const lines = new Memo<RequestLine>(2048)
/** One per minor version: the same fields mean different things to each. */
const fieldBlocks = [new Memo<RequestFields>(1024), new Memo<RequestFields>(1024)]

export class Http1Connection implements Connection {
  readonly socket: ByteStream
  place = 0
  readonly #gateway: Http1Gateway
  #peer: Peer | null
  #phase: number = Phase.IDLE
  #exchange: Http1Exchange | null = null
  #tunnel: Tunnel | null = null
  /** Of HTTP/2, when the connection has turned out to be that. */
  #successor: Connection | null = null
  /** A request has come: what the visitor speaks is settled. */
  #hasAsked = false
  /** Bytes read and not yet used; null when there are none. */
  #pending: Buffer | null = null
  /** How much of `#pending` is known to hold no complete head. */
  #scanned = 0
  /** Inside `#process`: an answer given now is followed up by its loop. */
  #processing = false
  /** Several answers of one read leave in one write. */
  #corked = false
  /** The last head that came, as text, and what it says: visitors repeat themselves. '': forgotten. */
  #lastHead = ''
  #lastLine: RequestLine | null = null
  #lastFields: RequestFields | null = null
  /** A request waits in `#pending` until the visitor has read the answers to those before it. */
  #held = false
  #visitorEnded = false
  /** Of the answer to a visitor that has ended, when it was last looked at. */
  #sentBefore = 0
  #sendStalled = false
  #queued = 0
  #lingerEnd = 0
  /** Bytes that the tunnel had sent when it was last looked at. */
  #tunnelled = 0
  /** On `clock.now`, when the current phase has lasted too long. */
  #deadline: number

  constructor(gateway: Http1Gateway, socket: ByteStream, peer?: Peer) {
    this.#gateway = gateway
    this.#peer = peer ?? null
    this.socket = socket
    this.#deadline = clock.now + gateway.timeouts.headMs
  }

  get draining(): boolean {
    return this.#gateway.draining
  }

  get serverName(): string {
    return this.#gateway.serverName
  }

  get dev(): boolean {
    return this.#gateway.dev
  }

  // From the socket.

  read(bytes: Buffer, length: number): boolean {
    if (this.#phase === Phase.SWITCHED) return this.#successor!.read(bytes, length)
    this.#gateway.counters.received(length)
    switch (this.#phase) {
      case Phase.LINGER:
        if (!this.#sendStalled) this.#watch()
        return true
      case Phase.TUNNEL:
        this.#deadline = clock.now + this.#gateway.tunnelMs
        return this.#tunnel!.receive(bytes.subarray(0, length))
      case Phase.CLOSED:
        return true
    }
    const pending = this.#pending
    if (pending === null) this.#process(bytes, length, false)
    else if (this.#phase === Phase.HEAD && this.#trickles(pending, bytes, length)) return true
    else {
      this.#pending = null
      const all = Buffer.allocUnsafeSlow(pending.length + length)
      pending.copy(all)
      bytes.copy(all, pending.length, 0, length)
      this.#process(all, all.length, true)
    }
    return !this.#mustPause()
  }

  /**
   * Whether this is but a little more of a head's first line or field: nothing that could be judged. Thousands
   * of visitors who send a byte now and then must cost others next to nothing.
   */
  #trickles(pending: Buffer, bytes: Buffer, length: number): boolean {
    const { line, head } = this.#gateway.limits
    const total = pending.length + length
    if (length > FEW || total > line || total >= head) return false
    for (let i = 0; i < length; i++) if (bytes[i] === LF) return false
    this.#pending = extended(pending, bytes, length)
    this.#scanned = total
    return true
  }

  ended(): void {
    this.#visitorEnded = true
    if (this.#phase === Phase.SWITCHED) return this.#successor?.ended()
    if (this.#phase === Phase.TUNNEL) return this.#tunnel!.receiveEnd()
    if (this.#phase > Phase.BUSY) {
      this.#phase = Phase.CLOSED
      this.socket.end()
    } else this.#conclude()
  }

  /** The visitor sends no more. It still gets every answer that it has asked for completely. */
  #conclude(): void {
    if (this.#held) return
    if (this.#phase < Phase.BUSY) {
      this.#phase = Phase.CLOSED
      this.socket.end()
      return
    }
    if (this.#phase !== Phase.BUSY || this.#exchange === null) return
    if (this.#exchange.bodyDone) return this.#watch()
    if (this.#pending !== null) return
    this.#bodyFailed(new PorticoError('VISITOR_LEFT', 'before the body was complete'))
  }

  #bodyFailed(error: PorticoError): void {
    const exchange = this.#exchange!
    exchange.bodyFailed(error)
    if (this.#exchange !== exchange) return
    this.#watch()
    // Answered before: nothing was left to do but read on.
    if (exchange.done) this.#advance()
  }

  closed(): void {
    if (this.#successor !== null) return this.#successor.closed()
    const exchange = this.#exchange
    this.#exchange = null
    this.#phase = Phase.CLOSED
    this.#pending = null
    if (this.#tunnel !== null) {
      this.#gateway.counters.sent(this.#tunnel.sent)
      exchange?.tunnelClosed(this.#tunnel.sent)
      this.#tunnel.destroy()
    }
    if (exchange !== null) {
      exchange.lost()
      this.#gateway.flow.finished(exchange)
    }
    this.#gateway.forget(this)
  }

  get current(): Http1Exchange | null {
    return this.#exchange
  }

  drained(): void {
    if (this.#successor !== null) return this.#successor.drained()
    // A tunnel writes to the socket itself, so its stalls are not counted here.
    if (this.#tunnel !== null) {
      this.#sendStalled = false
      this.#watch()
      return this.#tunnel.drained()
    }
    if (!this.#sendStalled) return
    this.#sendStalled = false
    this.#watch()
    this.#exchange?.onDrain?.()
    if (this.#held) {
      this.#held = false
      this.#advance()
    }
  }

  /** The visitor has said all it will say, and waits at most for this answer. */
  get #abandoned(): boolean {
    return this.#visitorEnded && this.#phase === Phase.BUSY && this.#exchange?.bodyDone === true
  }

  /** Sets the deadline of the current phase. */
  #watch(): void {
    const { timeouts } = this.#gateway
    if (this.#sendStalled) this.#deadline = clock.now + timeouts.sendMs
    else if (this.#abandoned) this.#deadline = clock.now + timeouts.abandonMs
    else if (this.#phase === Phase.IDLE) this.#deadline = clock.now + this.#gateway.idleMs
    else if (this.#phase === Phase.HEAD) this.#deadline = clock.now + timeouts.headMs
    else if (this.#phase === Phase.LINGER)
      this.#deadline = Math.min(clock.now + LINGER_MS, this.#lingerEnd)
    else if (this.#phase === Phase.TUNNEL) this.#deadline = clock.now + this.#gateway.tunnelMs
    else if (this.#exchange?.receiving === true) this.#deadline = clock.now + timeouts.bodyMs
    else this.#deadline = Number.POSITIVE_INFINITY
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
    // A socket that was ended does not tell when all has left.
    if (this.#phase === Phase.LINGER && this.#sendStalled && this.socket.writableLength === 0) {
      this.#sendStalled = false
      this.#watch()
    }
    if (this.#phase === Phase.IDLE && this.#lastLine !== null) this.#forget()
    if (now < this.#deadline) return
    if (this.#sendStalled && this.#progressed()) {
      this.#deadline = now + this.#gateway.timeouts.sendMs
      return
    }
    switch (this.#phase) {
      case Phase.HEAD:
        this.#refuse(new PorticoError('SLOW_REQUEST', 'head'))
        return
      case Phase.BUSY:
        if (!this.#sendStalled && this.#exchange?.receiving === true) {
          return this.#bodyFailed(new PorticoError('SLOW_REQUEST', 'body'))
        }
        // An answer under way goes on for as long as something of it comes.
        if (this.#abandoned && this.#exchange!.sent !== this.#sentBefore) {
          this.#sentBefore = this.#exchange!.sent
          return this.#watch()
        }
        this.socket.destroy()
        return
      case Phase.IDLE:
        // Opened and never used, or kept alive and idle: nothing is owed.
        this.#phase = Phase.CLOSED
        this.socket.end()
        this.socket.destroySoon()
        return
      case Phase.TUNNEL:
        // What only goes out keeps a tunnel open, too.
        if (this.#tunnelled !== this.#tunnel!.sent) {
          this.#tunnelled = this.#tunnel!.sent
          this.#watch()
          return
        }
        this.socket.destroy()
        return
      default:
        this.socket.destroy()
    }
  }

  /** What visitors repeat within moments is remembered; thousands who are idle would hold much memory. */
  #forget(): void {
    this.#lastHead = ''
    this.#lastLine = null
    this.#lastFields = null
    if (this.#peer?.encoded !== undefined) this.#peer.encoded = null
  }

  /** How much the kernel has taken of a large write shows only in the handle's queue. */
  #progressed(): boolean {
    const before = this.#queued
    this.#queued = this.socket.queueSize
    return this.#queued !== before
  }

  /**
   * The server drains. A connection that may carry another request gets to send it, answered with
   * `Connection: close`: closing it now could cross with one under way. Idle ones go at the bound.
   */
  drain(idleMs: number): void {
    if (this.#phase === Phase.IDLE) this.#deadline = Math.min(this.#deadline, clock.now + idleMs)
  }

  // From the exchange.

  /** Writes now; true when the kernel has taken everything. The bytes must not change afterwards. */
  send(bytes: Uint8Array): boolean {
    this.#gateway.counters.sent(bytes.length)
    this.socket.write(bytes)
    return this.#settled()
  }

  sendTwo(first: Uint8Array, second: Uint8Array): boolean {
    this.#gateway.counters.sent(first.length + second.length)
    this.socket.cork()
    this.socket.write(first)
    this.socket.write(second)
    this.socket.uncork()
    return this.#settled()
  }

  #settled(): boolean {
    if (this.socket.writableLength === 0) return true
    if (!this.#sendStalled) {
      this.#sendStalled = true
      this.#queued = this.socket.queueSize
      this.#deadline = clock.now + this.#gateway.timeouts.sendMs
    }
    return false
  }

  /** As Exchange.sendFile. */
  sendFile(fd: number, offset: number, length: number, done: (count: number) => void): void {
    sendFileTo(this.socket, fd, offset, length, (count) => {
      if (count > 0) this.#gateway.counters.sent(count)
      done(count)
    })
  }

  /** The exchange wants (more of) its body. */
  bodyWanted(): void {
    if (this.#processing) return
    this.#advance()
  }

  /** The exchange's answer is complete. */
  answered(): void {
    if (!this.#processing) this.#advance()
  }

  /**
   * Ends the connection in the middle of an answer. `reset`: where only the connection's end tells the
   * answer's end, an orderly one would make the part look whole. Unix sockets know no reset.
   */
  cut(reset: boolean): void {
    this.#uncork()
    if (reset && this.socket.remoteAddress !== undefined) this.socket.resetAndDestroy()
    else this.socket.destroy()
  }

  tunnel(tunnel: Tunnel): Tunnel {
    this.#phase = Phase.TUNNEL
    this.#tunnel = tunnel
    this.#deadline = clock.now + this.#gateway.tunnelMs
    const pending = this.#pending
    this.#pending = null
    if (pending !== null) tunnel.receive(pending)
    if (this.#visitorEnded) tunnel.receiveEnd()
    return tunnel
  }

  // The loop.

  /** Goes on with what was read earlier, then with reading. */
  #advance(): void {
    const pending = this.#pending ?? EMPTY
    this.#pending = null
    this.#process(pending, pending.length, true)
    if (!this.#mustPause() && this.#phase < Phase.CLOSED) this.socket.resume()
  }

  #mustPause(): boolean {
    if (this.#phase === Phase.SWITCHED) return true
    if (this.#phase !== Phase.BUSY) return this.#held
    if (this.#pending !== null && this.#pending.length >= MOST_PENDING) return true
    // A body nobody takes yet waits in the kernel, where it slows its sender down.
    return this.#exchange !== null && !this.#exchange.bodyDone && !this.#exchange.receiving
  }

  /**
   * Uses `bytes[0, to)` as far as possible and keeps the rest. `own`: they are ours to keep; else they
   * are everybody's and change after this call.
   */
  #process(bytes: Buffer, to: number, own: boolean): void {
    this.#processing = true
    let at = 0
    for (;;) {
      const exchange = this.#exchange
      if (exchange !== null) {
        if (exchange.tunnelled) {
          if (at < to) this.#tunnel!.receive(bytes.subarray(at, to))
          break
        }
        if (exchange.receiving && at < to) {
          at = exchange.feed(bytes, at, to)
          this.#watch()
          continue
        }
        if (!exchange.done || (exchange.keep && !exchange.bodyDone)) {
          if (exchange.receiving) this.#watch()
          this.#keep(bytes, at, to, own)
          break
        }
        this.#exchange = null
        this.#gateway.flow.finished(exchange)
        if (this.#phase !== Phase.BUSY) break
        if (!exchange.keep) {
          this.#close()
          break
        }
        this.#phase = Phase.IDLE
        this.#watch()
      }
      if (at === to || this.#phase === Phase.CLOSED) break
      if (this.#sendStalled && !this.#hasRoom()) {
        this.#held = true
        this.#keep(bytes, at, to, own)
        break
      }
      const next = this.#head(bytes, at, to, own)
      if (next < 0) break
      at = next
    }
    this.#processing = false
    this.#uncork()
    if (this.#visitorEnded) this.#conclude()
  }

  #uncork(): void {
    if (!this.#corked) return
    this.#corked = false
    this.socket.uncork()
  }

  /** Whether the visitor takes the answers to what it has asked so far. */
  #hasRoom(): boolean {
    if (this.socket.writableLength > MOST_UNSENT) this.#uncork()
    return this.socket.writableLength <= MOST_UNSENT
  }

  /**
   * Keeps bytes for later. A copy has memory of its own, since a few bytes out of the common pool would
   * keep 64 KiB of it for as long as they wait. What is ours is not copied again and again when many
   * small requests are taken off it, and not kept whole for a small rest.
   */
  #keep(bytes: Buffer, at: number, to: number, own: boolean): void {
    const length = to - at
    if (length === 0) return
    if (own && length * 2 >= bytes.length) this.#pending = bytes.subarray(at, to)
    else {
      this.#pending = Buffer.allocUnsafeSlow(length)
      bytes.copy(this.#pending, 0, at, to)
    }
  }

  /** Parses a head at `at` and begins its exchange. Returns where the body begins; -1: not complete, or refused. */
  #head(bytes: Buffer, at: number, to: number, own: boolean): number {
    let start = at
    // RFC 9112 §2.2: an empty line before a request is ignored; a few are, no more.
    while (to - start >= 2 && bytes[start] === CR && bytes[start + 1] === LF) {
      start += 2
      if (start - at > 8) return this.#refuse(new PorticoError('BAD_REQUEST_LINE', 'empty lines'))
    }
    if (start === to) return -1
    const again = start + this.#lastHead.length
    if (this.#isLastHead(bytes, start, again, to)) {
      this.#scanned = 0
      return this.#begin(this.#lastLine!, this.#lastFields!, again, to)
    }
    const { limits } = this.#gateway
    const reach = Math.min(to, start + limits.head + 4)
    let text = bytes.toString('latin1', start, Math.min(reach, start + USUAL_HEAD))
    let end = text.indexOf('\r\n\r\n', Math.max(0, this.#scanned - 3))
    if (end < 0 && text.length < reach - start) {
      text = bytes.toString('latin1', start, reach)
      end = text.indexOf('\r\n\r\n', Math.max(0, this.#scanned - 3))
    }
    if (end < 0) return this.#incomplete(bytes, start, to, own, text)
    this.#scanned = 0
    const lineEnd = text.indexOf('\r\n')
    if (lineEnd > limits.line) return this.#refuse(new PorticoError('TOO_LONG_LINE'))
    if (end + 4 > limits.head) return this.#refuse(new PorticoError('TOO_LARGE_HEAD'))
    let line: RequestLine
    let fields: RequestFields
    try {
      const known = lines.get(text.slice(0, lineEnd))
      line = known ?? newLine(bytes.toString('latin1', start, start + lineEnd))
      const blocks = fieldBlocks[line.minor]!
      fields =
        blocks.get(text.slice(lineEnd + 2, end + 2)) ??
        newFields(
          bytes.toString('latin1', start + lineEnd + 2, start + end + 2),
          line.minor,
          limits.fields,
        )
    } catch (error) {
      if (start === at && this.#isPreface(text.slice(0, lineEnd)))
        return this.#switch(bytes, at, to, own)
      const refused = hasBareLf(text.slice(0, end + 4), 0) ? bareLf() : asPortico(error)
      return this.#refuse(refused, text.slice(0, lineEnd))
    }
    this.#lastHead = text.length === end + 4 ? text : ''
    this.#lastLine = line
    this.#lastFields = fields
    return this.#begin(line, fields, start + end + 4, to)
  }

  /** Whether `bytes[start, end)` is what the last head was: cheaper to see than to find its parts again. */
  #isLastHead(bytes: Buffer, start: number, end: number, to: number): boolean {
    if (end === start || end > to || bytes[end - 1] !== LF || bytes[end - 3] !== LF) return false
    return bytes.toString('latin1', start, end) === this.#lastHead
  }

  #isPreface(line: string): boolean {
    return line === PREFACE_LINE && !this.#hasAsked && this.#gateway.speaksHttp2
  }

  /** Nothing more is read before there is somebody to read it. Always -1. */
  #switch(bytes: Buffer, at: number, to: number, own: boolean): -1 {
    this.#phase = Phase.SWITCHED
    this.#deadline = Number.POSITIVE_INFINITY
    this.#keep(bytes, at, to, own)
    this.#gateway.switchToHttp2(this, this.#peer ?? undefined)
    return -1
  }

  /** The one that goes on with what has been read. */
  succeed(successor: Connection): void {
    const begun = this.#pending!
    this.#pending = null
    this.#successor = successor
    // It counts what it reads, and this was counted.
    this.#gateway.counters.received(-begun.length)
    const more = successor.read(begun, begun.length)
    if (this.#visitorEnded) successor.ended()
    else if (more) this.socket.resume()
  }

  /** Begins the exchange; returns where its body begins, which is `next`. */
  #begin(line: RequestLine, fields: RequestFields, next: number, to: number): number {
    if (next < to && !this.#corked && fields.contentLength === 0 && !fields.chunked) {
      this.#corked = true
      this.socket.cork()
    }
    this.#hasAsked = true
    this.#phase = Phase.BUSY
    if (!this.#sendStalled) this.#deadline = Number.POSITIVE_INFINITY
    this.#peer ??= new SocketPeer(this.socket)
    // RFC 9112 §9.3: HTTP/1.1 persists unless told otherwise; HTTP/1.0 only when asked.
    const keep = line.minor >= 1 ? !fields.close : fields.keepAlive && !fields.close
    const exchange = new Http1Exchange(
      this,
      line,
      fields,
      this.#peer,
      this.#gateway.limits.body,
      keep,
    )
    this.#exchange = exchange
    this.#gateway.flow.begin(exchange)
    return next
  }

  /** No complete head yet: refuses what can never become one, keeps the rest. */
  #incomplete(bytes: Buffer, start: number, to: number, own: boolean, text: string): number {
    const { limits } = this.#gateway
    if (this.#phase === Phase.IDLE) {
      this.#phase = Phase.HEAD
      this.#watch()
      const first = text.charCodeAt(0)
      if (first === 0x16) {
        return this.#refuse(
          new PorticoError('BAD_REQUEST_LINE', 'this looks like TLS; this port speaks plain HTTP'),
        )
      }
    }
    const lineEnd = text.indexOf('\r\n')
    // The CR of a line that is just short enough may be there already.
    if (lineEnd < 0 ? text.length > limits.line + 1 : lineEnd > limits.line) {
      return this.#refuse(new PorticoError('TOO_LONG_LINE'))
    }
    if (to - start >= limits.head) return this.#refuse(new PorticoError('TOO_LARGE_HEAD'))
    // RFC 9112 §2.2: a bare LF is no line end here, and its sender would wait for ever.
    if (hasBareLf(text, Math.max(0, this.#scanned - 1))) return this.#refuse(bareLf())
    this.#scanned = text.length
    this.#keep(bytes, start, to, own)
    return -1
  }

  /** Answers what is no request, then closes. Always -1. */
  #refuse(error: PorticoError, line = ''): -1 {
    const page = errorPage(error, null, this.#gateway.dev)
    this.send(
      join(
        encodeHead(page.head, page.body.length, 'Connection: close\r\n', this.serverName),
        page.body,
      ),
    )
    this.#peer ??= new SocketPeer(this.socket)
    this.#gateway.flow.refused(error, line, this.#peer, page.body.length)
    this.#close()
    return -1
  }

  /** RFC 9112 §9.6: close in stages, or a reset destroys the answer before the visitor reads it. */
  #close(): void {
    this.#pending = null
    this.#phase = Phase.LINGER
    this.#uncork()
    this.#lingerEnd = clock.now + MOST_LINGER_MS
    this.#watch()
    this.socket.end()
    if (this.#visitorEnded) this.socket.destroySoon()
  }
}

const EMPTY = Buffer.alloc(0)

/** `kept`, which nobody else has, with `length` bytes more: in its own memory, where there is room. */
function extended(kept: Buffer, bytes: Buffer, length: number): Buffer {
  const { buffer, byteOffset } = kept
  const total = kept.length + length
  const into =
    buffer.byteLength - byteOffset >= total
      ? Buffer.from(buffer, byteOffset, total)
      : Buffer.allocUnsafeSlow(2 * total).subarray(0, total)
  if (into.buffer !== buffer) kept.copy(into)
  bytes.copy(into, kept.length, 0, length)
  return into
}

// What is remembered is parsed from text of its own: a slice would keep the whole read alive.

function newLine(text: string): RequestLine {
  return lines.put(text, parseRequestLine(text), () => text)
}

function newFields(block: string, minor: number, most: number): RequestFields {
  return fieldBlocks[minor]!.put(block, parseRequestFields(block, minor, most), () => block)
}

function hasBareLf(text: string, from: number): boolean {
  for (let lf = text.indexOf('\n', from); lf >= 0; lf = text.indexOf('\n', lf + 1)) {
    if (lf === 0 || text.charCodeAt(lf - 1) !== CR) return true
  }
  return false
}

function bareLf(): PorticoError {
  return new PorticoError('BAD_REQUEST_LINE', 'a line that ends in a bare LF')
}

function asPortico(error: unknown): PorticoError {
  return error instanceof PorticoError ? error : new PorticoError('INTERNAL', '', { cause: error })
}
