/**
 * Hot: a connection of a web server in front of us, whichever of the gateway protocols it speaks: one
 * request at a time, deadlines, back-pressure, and an end that loses no answer. Phases, each with its
 * deadline:
 *
 *     IDLE ──first byte──▶ HEAD ──complete──▶ BUSY ──answered──▶ IDLE, where the protocol has connections
 *     any ──last answer──▶ LINGER ──front's FIN or deadline──▶ closed            for several requests
 *
 * What cannot be used yet waits in `#rest`, of at most one read: reading pauses meanwhile. So do requests
 * of a front that does not read the answers it has.
 */
import { PorticoError } from '../../errors.ts'
import type { ByteStream, Connection } from '../../listen/byte-stream.ts'
import { clock } from '../../request/clock.ts'
import { errorPage } from '../../request/error-page.ts'
import { type AnswerHead, COPIED, type Peer } from '../../request/exchange.ts'
import type { CgiRequest } from '../../wire/cgi-request.ts'
import { sendFileTo } from '../handle.ts'
import { SocketPeer } from '../peer.ts'
import { type Front, FrontExchange } from './exchange.ts'
import type { FrontGateway } from './gateway.ts'

const Phase = { IDLE: 0, HEAD: 1, BUSY: 2, LINGER: 3, CLOSED: 4 } as const

/** As HTTP/1's: a closing connection is read so long after the last bytes, and at most so long. */
const LINGER_MS = 2_000
const MOST_LINGER_MS = 30_000
/** Unsent bytes of answers beyond which a front is asked for nothing more until it has read them. */
const MOST_UNSENT = 65_536

export abstract class FrontConnection implements Connection, Front {
  readonly socket: ByteStream
  place = 0
  protected readonly gateway: FrontGateway
  /** The request in hand. */
  protected exchange: FrontExchange | null = null
  /** The front wants the connection kept after this request, and so do we. */
  protected keep = false
  /** Who is at the other end: the front, where it does not say who its visitor is. */
  readonly #told: Peer | undefined
  #socketPeer: Peer | null = null
  #phase: number = Phase.IDLE
  /** Bytes read and not yet used. */
  #rest: Buffer | null = null
  /** Inside `#process`: an answer given now is followed up by its loop. */
  #processing = false
  #frontEnded = false
  /** Of the answer to a front that has ended, when it was last looked at. */
  #sentBefore = 0
  #sendStalled = false
  #queued = 0
  #lingerEnd = 0
  /** On `clock.now`, when the current phase has lasted too long. */
  #deadline: number

  constructor(gateway: FrontGateway, socket: ByteStream, peer: Peer | undefined) {
    this.gateway = gateway
    this.socket = socket
    this.#told = peer
    this.#deadline = clock.now + gateway.timeouts.headMs
  }

  // Of each protocol.

  /**
   * Takes `bytes[from, to)` as far as it can now; returns where it stopped. Calls `begin` with a
   * request, feeds its body, calls `refuse` for what is none. Throws PorticoError for what is no such
   * protocol. Stops behind a request that has been answered.
   */
  protected abstract take(bytes: Buffer, from: number, to: number): number
  /** A request has begun to come but is not complete. */
  protected abstract get heading(): boolean
  /**
   * The answer is complete: nothing of its request may be mistaken for the next one. Returns whether
   * all of the request has been read.
   */
  protected abstract settle(exchange: FrontExchange): boolean
  /** Bytes of an answer as the protocol wraps them. */
  abstract emit(head: string, part: Uint8Array, owned: boolean, last: boolean): boolean
  abstract head(exchange: FrontExchange, head: AnswerHead, length: number): string

  get dev(): boolean {
    return this.gateway.dev
  }

  /** No other request is taken. */
  protected get closing(): boolean {
    return this.#phase >= Phase.LINGER
  }

  /** The front has answers enough that it does not read. */
  protected get full(): boolean {
    return this.#sendStalled && this.socket.writableLength > MOST_UNSENT
  }

  // From the socket.

  read(bytes: Buffer, length: number): boolean {
    this.gateway.counters.received(length)
    if (this.closing) {
      if (!this.#sendStalled) this.#watch()
      return true
    }
    const rest = this.#rest
    if (rest === null) this.#process(bytes, length)
    else {
      const all = Buffer.concat([rest, bytes.subarray(0, length)])
      this.#rest = null
      this.#process(all, all.length)
    }
    return this.#rest === null
  }

  ended(): void {
    this.#frontEnded = true
    this.#conclude()
  }

  /** The front sends no more. It still gets the answer to a request that is complete. */
  #conclude(): void {
    if (this.#phase !== Phase.BUSY) {
      this.#phase = Phase.CLOSED
      this.socket.end()
      return
    }
    const { exchange } = this
    if (exchange === null || this.#rest !== null) return
    if (exchange.bodyDone) return this.#watch()
    this.#bodyFailed(new PorticoError('VISITOR_LEFT', 'before the body was complete'))
  }

  #bodyFailed(error: PorticoError): void {
    const { exchange } = this
    this.keep = false
    exchange?.bodyFailed(error)
    if (this.exchange !== exchange) return
    this.#watch()
    // Answered before: nothing was left to do but read on.
    if (exchange?.done === true && !this.#processing) this.#advance()
  }

  closed(): void {
    const { exchange } = this
    this.exchange = null
    this.#phase = Phase.CLOSED
    this.#rest = null
    if (exchange !== null) {
      exchange.lost()
      this.gateway.flow.finished(exchange)
    }
    this.gateway.forget(this)
  }

  get current(): FrontExchange | null {
    return this.exchange
  }

  drained(): void {
    if (!this.#sendStalled) return
    this.#sendStalled = false
    this.#watch()
    this.exchange?.onDrain?.()
    if (this.#rest !== null) this.#advance()
  }

  // Deadlines.

  /** The front has said all it will say, and waits at most for this answer. */
  get #abandoned(): boolean {
    return this.#frontEnded && this.#phase === Phase.BUSY && this.exchange?.bodyDone === true
  }

  #watch(): void {
    const { timeouts } = this.gateway
    if (this.#sendStalled) this.#deadline = clock.now + timeouts.sendMs
    else if (this.#abandoned) this.#deadline = clock.now + timeouts.abandonMs
    else if (this.#phase === Phase.IDLE) this.#deadline = clock.now + this.gateway.idleMs
    else if (this.#phase === Phase.HEAD) this.#deadline = clock.now + timeouts.headMs
    else if (this.#phase === Phase.LINGER)
      this.#deadline = Math.min(clock.now + LINGER_MS, this.#lingerEnd)
    else if (this.exchange?.receiving === true) this.#deadline = clock.now + timeouts.bodyMs
    else this.#deadline = Number.POSITIVE_INFINITY
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
    // A socket that was ended does not tell when all has left.
    if (this.#phase === Phase.LINGER && this.#sendStalled && this.socket.writableLength === 0) {
      this.#sendStalled = false
      this.#watch()
    }
    if (now < this.#deadline) return
    if (this.#sendStalled && this.#progressed()) {
      this.#deadline = now + this.gateway.timeouts.sendMs
      return
    }
    if (this.#phase === Phase.HEAD) return this.refuse(new PorticoError('SLOW_REQUEST', 'head'))
    if (this.#phase === Phase.BUSY && !this.#sendStalled) {
      if (this.exchange?.receiving === true) {
        return this.#bodyFailed(new PorticoError('SLOW_REQUEST', 'body'))
      }
      // An answer under way goes on for as long as something of it comes.
      if (this.#abandoned && this.exchange!.sent !== this.#sentBefore) {
        this.#sentBefore = this.exchange!.sent
        return this.#watch()
      }
    }
    this.socket.destroy()
  }

  #progressed(): boolean {
    const before = this.#queued
    this.#queued = this.socket.queueSize
    return this.#queued !== before
  }

  /** The server drains: a kept connection may still send the request it is about to send, and has so long. */
  drain(idleMs: number): void {
    if (this.#phase === Phase.IDLE) this.#deadline = Math.min(this.#deadline, clock.now + idleMs)
  }

  // From the exchange.

  /** Writes now; true when the kernel has taken everything. The bytes must not change afterwards. */
  protected send(bytes: Uint8Array): boolean {
    this.gateway.counters.sent(bytes.length)
    this.socket.write(bytes)
    return this.#settled()
  }

  /** Head and body, as one buffer where that is cheaper. */
  protected sendBoth(head: string, part: Uint8Array, owned: boolean): boolean {
    if (head === '') {
      if (part.length === 0) return this.socket.writableLength === 0
      return this.send(owned ? part : Buffer.from(part))
    }
    if (part.length <= COPIED) {
      const bytes = Buffer.allocUnsafe(head.length + part.length)
      bytes.write(head, 0, head.length, 'latin1')
      bytes.set(part, head.length)
      return this.send(bytes)
    }
    return this.sendAll([Buffer.from(head, 'latin1'), owned ? part : Buffer.from(part)])
  }

  /** The same as `send` for several pieces, in one write. */
  protected sendAll(pieces: readonly Uint8Array[]): boolean {
    this.socket.cork()
    for (const piece of pieces) {
      this.gateway.counters.sent(piece.length)
      this.socket.write(piece)
    }
    this.socket.uncork()
    return this.#settled()
  }

  #settled(): boolean {
    if (this.socket.writableLength === 0) return true
    if (!this.#sendStalled) {
      this.#sendStalled = true
      this.#queued = this.socket.queueSize
      this.#deadline = clock.now + this.gateway.timeouts.sendMs
    }
    return false
  }

  sendFile(fd: number, offset: number, length: number, done: (count: number) => void): void {
    sendFileTo(this.socket, fd, offset, length, (count) => {
      if (count > 0) this.gateway.counters.sent(count)
      done(count)
    })
  }

  bodyWanted(): void {
    if (!this.#processing) this.#advance()
  }

  answered(): void {
    if (!this.#processing) this.#advance()
  }

  /** An orderly end could be taken for the answer's: fronts need not believe its length. */
  cut(): void {
    if (this.socket.remoteAddress === undefined) this.socket.destroy()
    else this.socket.resetAndDestroy()
  }

  // The loop.

  #advance(): void {
    const rest = this.#rest ?? EMPTY
    this.#rest = null
    this.#process(rest, rest.length)
    if (this.#rest === null && this.#phase !== Phase.CLOSED) this.socket.resume()
  }

  #process(bytes: Buffer, to: number): void {
    this.#processing = true
    let at = 0
    try {
      do {
        if (this.exchange === null && this.full) break
        at = this.take(bytes, at, to)
      } while (this.#finished() && at < to && !this.closing)
    } catch (error) {
      at = to
      this.#broken(
        error instanceof PorticoError ? error : new PorticoError('INTERNAL', '', { cause: error }),
      )
    }
    this.#processing = false
    if (this.closing) return
    if (at < to) this.#rest = Buffer.from(bytes.subarray(at, to))
    if (this.exchange?.receiving === true) this.#watch()
    else if (this.#phase === Phase.IDLE && this.heading) {
      this.#phase = Phase.HEAD
      this.#watch()
    }
    if (this.#frontEnded) this.#conclude()
  }

  /** Whether a request has just been dealt with, and another one may come. */
  #finished(): boolean {
    const { exchange } = this
    if (exchange === null || !exchange.done) return false
    if (this.gateway.draining) this.keep = false
    const readWhole = this.settle(exchange)
    // What is left of the body has to come before the next request.
    if (this.keep && !exchange.bodyDone) return true
    this.exchange = null
    this.gateway.flow.finished(exchange)
    if (this.#phase === Phase.CLOSED) return false
    if (!this.keep) {
      if (readWhole && this.socket.writableLength === 0) this.#leave()
      else this.close()
      return false
    }
    this.#phase = Phase.IDLE
    this.#watch()
    return true
  }

  /** All has been read and all has been written: no reset can destroy anything, and nothing is awaited. */
  #leave(): void {
    this.#rest = null
    this.#phase = Phase.CLOSED
    this.socket.destroy()
  }

  /** What comes is not the protocol, or not any more. */
  #broken(error: PorticoError): void {
    if (this.exchange === null) return this.refuse(error)
    this.#bodyFailed(error)
    if (!this.exchange.done) this.cut()
    else this.#finished()
  }

  /** A request is complete but for its body. */
  protected begin(request: CgiRequest): void {
    this.#phase = Phase.BUSY
    if (!this.#sendStalled) this.#deadline = Number.POSITIVE_INFINITY
    const exchange = new FrontExchange(
      this,
      request,
      this.#peerOf(request),
      this.gateway.limits.body,
    )
    this.exchange = exchange
    this.gateway.flow.begin(exchange)
  }

  /** Where the front does not tell who visits it, the visitor is the front. */
  #peerOf({ peer }: CgiRequest): Peer {
    if (peer.address !== '') return peer
    const { address, port } = this.#own
    return { ...peer, address, port }
  }

  get #own(): Peer {
    this.#socketPeer ??= this.#told ?? new SocketPeer(this.socket)
    return this.#socketPeer
  }

  /** Answers what is no request, then closes. */
  protected refuse(error: PorticoError): void {
    this.keep = false
    this.#phase = Phase.BUSY
    const page = errorPage(error, null, this.gateway.dev)
    this.emit(this.refusalHead(page.head, page.body.length), page.body, true, true)
    this.gateway.flow.refused(error, '', this.#own, page.body.length)
    this.close()
  }

  /** The head of an answer to what is no request. */
  protected abstract refusalHead(head: AnswerHead, length: number): string

  /** Closes in stages, or a reset destroys the answer before the front reads it. */
  protected close(): void {
    this.#rest = null
    this.#phase = Phase.LINGER
    this.#lingerEnd = clock.now + MOST_LINGER_MS
    this.#watch()
    this.socket.end()
    if (this.#frontEnded) this.socket.destroySoon()
  }
}

const EMPTY = Buffer.alloc(0)
