/**
 * Hot: one visitor's HTTP/1.1 connection (RFC 9112): finds heads in what is read, runs one exchange at
 * a time, keeps deadlines, closes without losing the last answer. Phases, each with its deadline:
 *
 *     IDLE ──first byte──▶ HEAD ──complete──▶ BUSY (BODY while the body is read) ──answered──▶ IDLE
 *     any ──last answer──▶ LINGER ──visitor's FIN or deadline──▶ closed
 *     BUSY ──upgrade──▶ TUNNEL
 *
 * Requests that come while one is in hand wait in `#pending`; when that is large, reading pauses.
 */
import type { Socket } from 'node:net'
import { PorticoError } from '../../errors.ts'
import type { Connection } from '../../listen/accept.ts'
import { clock } from '../../request/clock.ts'
import { errorPage } from '../../request/error-page.ts'
import { sendFromFile } from '../../system/sendfile.ts'
import { Memo } from '../../wire/memo.ts'
import { parseRequestFields, type RequestFields } from '../../wire/request-fields.ts'
import { parseRequestLine, type RequestLine } from '../../wire/request-line.ts'
import { encodeHead, join } from './encode.ts'
import { Http1Exchange } from './exchange.ts'
import type { Http1Gateway } from './gateway.ts'
import { SocketPeer } from './peer.ts'
import type { Tunnel } from './tunnel.ts'

const Phase = { IDLE: 0, HEAD: 1, BUSY: 2, LINGER: 3, TUNNEL: 4, CLOSED: 5 } as const

/** Pipelined bytes kept while a request is in hand, before reading pauses. */
const MOST_PENDING = 65_536
/** How long, and for how many bytes, a closing connection is read so that no reset eats the answer. */
const LINGER_MS = 2_000
const LINGER_BYTES = 4_194_304
const LF = 0x0a
const CR = 0x0d

const lines = new Memo<RequestLine>(2048)
/** One per minor version: the same fields mean different things to each. */
const fieldBlocks = [new Memo<RequestFields>(1024), new Memo<RequestFields>(1024)]

export class Http1Connection implements Connection {
  readonly socket: Socket
  readonly #gateway: Http1Gateway
  #peer: SocketPeer | null = null
  #phase: number = Phase.IDLE
  #exchange: Http1Exchange | null = null
  #tunnel: Tunnel | null = null
  /** Bytes read and not yet used; null when there are none. */
  #pending: Buffer | null = null
  /** How much of `#pending` is known to hold no complete head. */
  #scanned = 0
  /** Inside `#process`: an answer given now is followed up by its loop. */
  #processing = false
  /** Several answers of one read leave in one write. */
  #corked = false
  #visitorEnded = false
  #sendStalled = false
  #queued = 0
  #lingered = 0
  /** On `clock.now`, when the current phase has lasted too long. */
  #deadline: number

  constructor(gateway: Http1Gateway, socket: Socket) {
    this.#gateway = gateway
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
    this.#gateway.counters.received(length)
    switch (this.#phase) {
      case Phase.LINGER:
        this.#lingered += length
        if (this.#lingered > LINGER_BYTES) this.socket.destroy()
        return true
      case Phase.TUNNEL:
        this.#deadline = clock.now + this.#gateway.timeouts.tunnelMs
        return this.#tunnel!.receive(bytes.subarray(0, length))
      case Phase.CLOSED:
        return true
    }
    const pending = this.#pending
    if (pending === null) this.#process(bytes, 0, length)
    else {
      this.#pending = null
      const all = Buffer.concat([pending, bytes.subarray(0, length)])
      this.#process(all, 0, all.length)
    }
    return !this.#mustPause()
  }

  ended(): void {
    this.#visitorEnded = true
    switch (this.#phase) {
      case Phase.TUNNEL:
        return this.#tunnel!.receiveEnd()
      case Phase.BUSY:
        // A half-closed visitor still gets its answer; one that owes us a body does not.
        if (this.#exchange !== null && !this.#exchange.bodyDone && this.#pending === null) {
          this.#exchange.bodyFailed(
            new PorticoError('VISITOR_LEFT', 'before the body was complete'),
          )
          this.socket.destroy()
        }
        return
      default:
        this.#phase = Phase.CLOSED
        this.socket.end()
    }
  }

  closed(): void {
    const exchange = this.#exchange
    this.#exchange = null
    this.#phase = Phase.CLOSED
    this.#pending = null
    if (this.#tunnel !== null) {
      exchange?.tunnelClosed(this.#tunnel.sent)
      this.#tunnel.destroy()
    }
    if (exchange !== null) {
      exchange.lost()
      this.#gateway.finished(exchange)
    }
    this.#gateway.forget(this)
  }

  drained(): void {
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
  }

  /** Sets the deadline of the current phase. */
  #watch(): void {
    const { timeouts } = this.#gateway
    if (this.#sendStalled) this.#deadline = clock.now + timeouts.sendMs
    else if (this.#phase === Phase.IDLE) this.#deadline = clock.now + this.#gateway.idleMs
    else if (this.#phase === Phase.HEAD) this.#deadline = clock.now + timeouts.headMs
    else if (this.#phase === Phase.LINGER) this.#deadline = clock.now + LINGER_MS
    else if (this.#phase === Phase.TUNNEL) this.#deadline = clock.now + timeouts.tunnelMs
    else if (this.#exchange?.receiving === true) this.#deadline = clock.now + timeouts.bodyMs
    else this.#deadline = Number.POSITIVE_INFINITY
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
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
          return this.#exchange.bodyFailed(new PorticoError('SLOW_REQUEST', 'body'))
        }
        this.socket.destroy()
        return
      case Phase.IDLE:
        // Opened and never used, or kept alive and idle: nothing is owed.
        this.#phase = Phase.CLOSED
        this.socket.end()
        this.socket.destroySoon()
        return
      default:
        this.socket.destroy()
    }
  }

  /** How much the kernel has taken of a large write shows only in the handle's queue. */
  #progressed(): boolean {
    const handle: unknown = Reflect.get(this.socket, '_handle')
    const queued =
      typeof handle === 'object' && handle !== null
        ? Number(Reflect.get(handle, 'writeQueueSize'))
        : 0
    const progressed = queued !== this.#queued
    this.#queued = queued
    return progressed
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
      this.#deadline = clock.now + this.#gateway.timeouts.sendMs
    }
    return false
  }

  /** As Exchange.sendFile. What was written before has to leave first. */
  sendFile(fd: number, offset: number, length: number, done: (count: number) => void): void {
    if (this.socket.writableLength > 0) return done(0)
    const handle: unknown = Reflect.get(this.socket, '_handle')
    const out =
      typeof handle === 'object' && handle !== null ? Number(Reflect.get(handle, 'fd')) : -1
    if (!(out >= 0)) return done(-1)
    sendFromFile(out, fd, offset, length, (count) => {
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
  answered(_exchange: Http1Exchange): void {
    if (!this.#processing) this.#advance()
  }

  /** Ends the connection in the middle of an answer, so that it is seen to be cut short. */
  cut(): void {
    // A reset, where Node can, also tells it to those who would take a clean end for the end.
    if (this.socket.writableLength === 0) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  tunnel(tunnel: Tunnel): Tunnel {
    this.#phase = Phase.TUNNEL
    this.#tunnel = tunnel
    this.#deadline = clock.now + this.#gateway.timeouts.tunnelMs
    const pending = this.#pending
    this.#pending = null
    if (pending !== null) tunnel.receive(pending)
    return tunnel
  }

  // The loop.

  /** Goes on with what was read earlier, then with reading. */
  #advance(): void {
    const pending = this.#pending ?? EMPTY
    this.#pending = null
    this.#process(pending, 0, pending.length)
    if (!this.#mustPause() && this.#phase < Phase.CLOSED) this.socket.resume()
  }

  #mustPause(): boolean {
    if (this.#phase !== Phase.BUSY) return false
    if (this.#pending !== null && this.#pending.length >= MOST_PENDING) return true
    // A body nobody takes yet waits in the kernel, where it slows its sender down.
    return this.#exchange !== null && !this.#exchange.bodyDone && !this.#exchange.receiving
  }

  #process(bytes: Buffer, from: number, to: number): void {
    this.#processing = true
    let at = from
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
          this.#keep(bytes, at, to)
          break
        }
        this.#exchange = null
        this.#gateway.finished(exchange)
        if (this.#phase !== Phase.BUSY) break
        if (!exchange.keep) {
          this.#close()
          break
        }
        this.#phase = Phase.IDLE
        this.#watch()
      }
      if (at === to || this.#phase === Phase.CLOSED) break
      const next = this.#head(bytes, at, to)
      if (next < 0) break
      at = next
    }
    this.#processing = false
    if (this.#corked) {
      this.#corked = false
      this.socket.uncork()
    }
    if (this.#visitorEnded && this.#phase < Phase.BUSY) this.ended()
  }

  #keep(bytes: Buffer, at: number, to: number): void {
    if (at < to) this.#pending = Buffer.from(bytes.subarray(at, to))
  }

  /** Parses a head at `at` and begins its exchange. Returns where the body begins; -1: not complete, or refused. */
  #head(bytes: Buffer, at: number, to: number): number {
    let start = at
    // RFC 9112 §2.2: an empty line before a request is ignored; a few are, no more.
    while (to - start >= 2 && bytes[start] === CR && bytes[start + 1] === LF) {
      start += 2
      if (start - at > 8) return this.#refuse(new PorticoError('BAD_REQUEST_LINE', 'empty lines'))
    }
    if (start === to) return -1
    const { limits } = this.#gateway
    const reach = Math.min(to, start + limits.head + 4)
    const text = bytes.toString('latin1', start, reach)
    const end = text.indexOf('\r\n\r\n', Math.max(0, this.#scanned - 3))
    if (end < 0) return this.#incomplete(bytes, start, to, text)
    this.#scanned = 0
    const lineEnd = text.indexOf('\r\n')
    if (lineEnd > limits.line) return this.#refuse(new PorticoError('TOO_LONG_LINE'))
    if (end + 4 > limits.head) return this.#refuse(new PorticoError('TOO_LARGE_HEAD'))
    let line: RequestLine
    let fields: RequestFields
    try {
      const lineText = text.slice(0, lineEnd)
      line =
        lines.get(lineText) ??
        lines.put(lineText, parseRequestLine(lineText), () =>
          bytes.toString('latin1', start, start + lineEnd),
        )
      const known = fieldBlocks[line.minor]!
      const block = text.slice(lineEnd + 2, end + 2)
      fields =
        known.get(block) ??
        known.put(block, parseRequestFields(block, line.minor, limits.fields), () => block)
    } catch (error) {
      const refused = hasBareLf(text.slice(0, end + 4), 0) ? bareLf() : asPortico(error)
      return this.#refuse(refused, text.slice(0, lineEnd))
    }
    const next = start + end + 4
    if (next < to && !this.#corked && fields.contentLength === 0 && !fields.chunked) {
      this.#corked = true
      this.socket.cork()
    }
    this.#begin(line, fields)
    return next
  }

  #begin(line: RequestLine, fields: RequestFields): void {
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
    this.#gateway.begin(exchange)
  }

  /** No complete head yet: refuses what can never become one, keeps the rest. */
  #incomplete(bytes: Buffer, start: number, to: number, text: string): number {
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
    this.#pending = Buffer.from(bytes.subarray(start, to))
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
    this.#gateway.refused(error, line, this.#peer, page.body.length)
    this.#close()
    return -1
  }

  /** RFC 9112 §9.6: close in stages, or a reset destroys the answer before the visitor reads it. */
  #close(): void {
    this.#pending = null
    this.#phase = Phase.LINGER
    if (this.#corked) {
      this.#corked = false
      this.socket.uncork()
    }
    this.#watch()
    this.socket.end()
    if (this.#visitorEnded) this.socket.destroySoon()
  }
}

const EMPTY = Buffer.alloc(0)

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
