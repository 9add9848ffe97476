/**
 * Hot: one stream (RFC 9113 §5.1): what comes on it on its way to the exchange or the tunnel, what goes out
 * on its way to the visitor, and the windows of both directions. It is open from its request to the end of
 * both sides:
 *
 *     open ──END_STREAM of the visitor──▶ half closed ──our END_STREAM──▶ closed
 *     open ──our END_STREAM──▶ the rest of the body is read for nobody, as far as it is worth it ──▶ closed
 *     any ──RST_STREAM, of either side──▶ closed
 *
 * A body that nobody takes waits here, never more than the window; the window grows when it is taken.
 */
import { PorticoError } from '../../errors.ts'
import { clock } from '../../request/clock.ts'
import type { AnswerHead } from '../../request/exchange.ts'
import {
  DEFAULT_FRAME_SIZE,
  DEFAULT_WINDOW,
  Flag,
  FRAME_HEAD,
  FrameType,
  Http2Code,
  Http2Fault,
  MOST_WINDOW,
  writeFrameHead,
} from '../../wire/http2.ts'
import type { Priority } from '../../wire/priority.ts'
import type { Carrier } from '../exchange.ts'
import type { Http2Connection } from './connection.ts'
import { encodeBlock, writeBlock, writeHead, writeWhole } from './encode.ts'
import type { Http2Exchange } from './exchange.ts'
import { HeldBytes } from './held-bytes.ts'
import { SendQueue } from './send-queue.ts'
import type { Http2Tunnel } from './tunnel.ts'
import { READ_WINDOW } from './windows.ts'

/** A body of unknown length that moves half of its first window in this time gets a wider one, ms. */
const FAST_MS = 500
/** Of a body that nobody wants: how much of it we read to spare its visitor a reset. */
const WORTH_DISCARDING = 262_144
const UNMEASURED = -1
const FOR_EVER = Number.POSITIVE_INFINITY

export class Http2Stream implements Carrier {
  readonly id: number
  readonly #connection: Http2Connection
  /** Null once the answer is over. */
  exchange: Http2Exchange | null = null
  #tunnel: Http2Tunnel | null = null
  priority: Priority
  /** See Turns. */
  line = -1
  /** The visitor's side is over; ours is. */
  remoteClosed: boolean
  localClosed = false
  /** On `clock.now`, when something has lasted too long. */
  #deadline = FOR_EVER

  /** Bytes that we may still send. */
  #sendWindow: number
  readonly #queue = new SendQueue()
  /** Our side ends behind the queue. */
  #ending = false
  #trailers = ''

  /** Bytes that the visitor may still send, and what it will be told that it may again. */
  #receiveWindow = DEFAULT_WINDOW
  #taken = 0
  #target = DEFAULT_WINDOW
  /** On `clock.now`, when the visitor was last told. */
  #toldAt = clock.now
  /** Bytes of the body still to come, or UNMEASURED. */
  #bodyLeft: number
  /** What came and nobody has taken. */
  readonly #held = new HeldBytes()
  /** Bytes that wait in the tunnel. */
  #inTunnel = 0
  /** Behind what is held. */
  #bodyTrailers = ''
  /** Bytes taken for nobody. */
  #discarded = 0

  constructor(
    connection: Http2Connection,
    id: number,
    priority: Priority,
    window: number,
    over: boolean,
    bodyLength: number,
  ) {
    this.#connection = connection
    this.id = id
    this.priority = priority
    this.#sendWindow = window
    this.remoteClosed = over
    this.#bodyLeft = bodyLength
  }

  get dev(): boolean {
    return this.#connection.dev
  }

  // The answer.

  /** An interim answer (§8.1). */
  inform(status: number, fields: string): void {
    writeBlock(this.#connection.out, this.id, encodeBlock(status, fields), false)
    this.#connection.touch()
  }

  /** `length` of the body, -1: untold. `end`: there is none. */
  writeHead(head: AnswerHead, length: number, id: string, end: boolean): void {
    writeHead(this.#connection.out, this.id, head, length, this.#connection.serverName, id, end)
    this.#connection.touch()
    if (end) this.localClosed = true
  }

  /** The whole answer. */
  respond(head: AnswerHead, body: Uint8Array, id: string): void {
    const connection = this.#connection
    const { length } = body
    if (length === 0) return this.writeHead(head, 0, id, true)
    const fits = length <= this.#sendWindow && connection.mayWrite(length)
    if (fits && id === '') {
      if (writeWhole(connection.out, this.id, head, body, connection.serverName)) {
        this.#sendWindow -= length
        connection.spend(length)
        this.localClosed = true
        return connection.touch()
      }
    }
    this.writeHead(head, length, id, false)
    this.#ending = true
    this.send(body, true)
  }

  /** As Exchange.write. */
  send(bytes: Uint8Array, owned: boolean): boolean {
    const connection = this.#connection
    if (this.localClosed) return true
    if (this.#tunnel !== null) this.watch()
    let from = 0
    if (this.#queue.length === 0 && connection.mayWrite(1)) {
      while (from < bytes.length) {
        const to = this.#frame(bytes, from, bytes.length)
        if (to === from) break
        from = to
      }
      connection.touch()
      if (from === bytes.length) return true
    }
    const rest = from === 0 ? bytes : bytes.subarray(from)
    if (this.#queue.length === 0) this.#deadline = clock.now + connection.timeouts.sendMs
    this.#queue.push(rest, owned)
    if (this.#sendWindow > 0) connection.wait(this)
    return false
  }

  /** Our side is over, behind what waits. `trailers`: a block as HTTP/1 has it. */
  end(trailers: string): void {
    if (this.localClosed || this.#ending) return
    this.#ending = true
    this.#trailers = trailers
    if (this.#queue.length === 0) this.#finish()
  }

  /** Writes one frame of DATA out of `bytes[from, to)`; returns where it ends. */
  #frame(bytes: Uint8Array, from: number, to: number): number {
    const connection = this.#connection
    const size = Math.min(to - from, this.#sendWindow, connection.sendable, DEFAULT_FRAME_SIZE)
    if (size <= 0) return from
    const { out } = connection
    const last = this.#ending && this.#trailers === '' && this.#isLast(bytes, from + size)
    const at = out.room(FRAME_HEAD + size)
    const flags = last ? Flag.END_STREAM : 0
    const payload = writeFrameHead(out.bytes, at, size, FrameType.DATA, flags, this.id)
    out.bytes.set(
      from === 0 && size === bytes.length ? bytes : bytes.subarray(from, from + size),
      payload,
    )
    out.at = payload + size
    this.#sendWindow -= size
    connection.spend(size)
    if (last) this.localClosed = true
    return from + size
  }

  #isLast(bytes: Uint8Array, end: number): boolean {
    return end === bytes.length && this.#queue.isLast
  }

  /**
   * Sends one frame of what waits: it is this one's turn. True: it can go on at once.
   */
  turn(): boolean {
    const queue = this.#queue
    const { first, from } = queue
    if (first === undefined) return false
    const sent = this.#frame(first, from, first.length) - from
    if (sent === 0) return false
    queue.left(sent)
    this.#deadline = clock.now + this.#connection.timeouts.sendMs
    if (queue.length > 0) return this.#sendWindow > 0
    this.#drained()
    return false
  }

  /** All that waited has left. */
  #drained(): void {
    this.watch()
    if (this.#ending) return this.#finish()
    if (this.#tunnel !== null) this.#tunnel.drained()
    else this.exchange?.onDrain?.()
  }

  /** Says that our side is over, where no frame has said it. */
  #finish(): void {
    if (!this.localClosed) {
      const { out } = this.#connection
      if (this.#trailers !== '') {
        writeBlock(out, this.id, encodeBlock(0, this.#trailers), true)
      } else {
        const at = out.room(FRAME_HEAD)
        out.at = writeFrameHead(out.bytes, at, 0, FrameType.DATA, Flag.END_STREAM, this.id)
      }
      this.localClosed = true
      this.#connection.touch()
    }
    // A handler that is still answering is told by `answered`.
    if (this.exchange?.done === true || this.#tunnel !== null) this.#settle()
  }

  /** The exchange's answer is complete: all of it was given to us. */
  answered(): void {
    if (this.localClosed) this.#settle()
  }

  /** Our side is over. */
  #settle(): void {
    const { exchange } = this
    if (this.#tunnel !== null) {
      if (this.remoteClosed && this.#held.length === 0) this.#connection.forget(this, false)
      return
    }
    this.exchange = null
    if (exchange !== null) this.#connection.finished(exchange)
    if (this.remoteClosed) return this.#connection.forget(this, false)
    const given = exchange?.error?.code
    const unwanted = given === 'TOO_LARGE_BODY' || given === 'SLOW_REQUEST'
    if (exchange?.heldBack === true || unwanted || this.#bodyLeft > WORTH_DISCARDING) {
      return this.#leave()
    }
    this.#discard()
    this.watch()
  }

  /** §8.1: the answer is complete, and no more of the request is of use. */
  #leave(): void {
    this.#connection.reset(this, Http2Code.NO_ERROR)
  }

  /** As Exchange.fail of what was begun: the visitor must not take a part for the whole. */
  cut(): void {
    if (this.localClosed) return
    this.localClosed = true
    // Not in the middle of whatever its handler is doing.
    process.nextTick(() => this.#connection.reset(this, Http2Code.INTERNAL_ERROR))
  }

  /** See Exchange.sendFile: never possible. */
  sendFile(_fd: number, _offset: number, _length: number, done: (count: number) => void): void {
    done(-1)
  }

  // The windows of the answer.

  /** §6.9.1. Throws Http2Fault of this stream. */
  widen(increment: number): void {
    this.#sendWindow += increment
    if (this.#sendWindow > MOST_WINDOW) {
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'window too large', this.id)
    }
    if (this.#queue.length > 0 && this.#sendWindow > 0) this.#connection.wait(this)
  }

  /** §6.9.2: the initial window is another one; the difference may be negative. False: too large. */
  adjust(difference: number): boolean {
    this.#sendWindow += difference
    if (this.#sendWindow > MOST_WINDOW) return false
    if (this.#queue.length > 0 && this.#sendWindow > 0) this.#connection.wait(this)
    return true
  }

  // The request's body.

  /**
   * A DATA frame: `bytes[from, to)`, of `length` with its padding. Throws Http2Fault, of this stream for
   * a body that is not as long as announced.
   */
  data(bytes: Buffer, from: number, to: number, length: number, end: boolean): void {
    this.#receiveWindow -= length
    if (this.#receiveWindow < 0) {
      this.#connection.credit(length)
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'more than the window', this.id)
    }
    const padding = length - (to - from)
    if (this.#bodyLeft !== UNMEASURED) {
      this.#bodyLeft -= to - from
      if (this.#bodyLeft < 0 || (end && this.#bodyLeft > 0)) {
        this.#connection.credit(length)
        throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'another length than announced', this.id)
      }
    }
    if (end) this.#lastCame()
    if (padding > 0) this.#credit(padding)
    if (to > from) this.#take(bytes, from, to)
    if (end) this.#ended()
    else this.watch()
  }

  /** Trailers: the body is over. Throws as `data`. */
  trailers(block: string): void {
    if (this.#bodyLeft > 0) {
      throw new Http2Fault(Http2Code.PROTOCOL_ERROR, 'another length than announced', this.id)
    }
    this.#lastCame()
    this.#bodyTrailers = block
    this.#ended()
  }

  /** The visitor's side is over: it needs no window any more. */
  #lastCame(): void {
    this.remoteClosed = true
    if (this.#target === DEFAULT_WINDOW) return
    this.#target = DEFAULT_WINDOW
    this.#connection.windows.reduce()
  }

  /** All of the body is here. */
  #ended(): void {
    if (this.#held.length > 0) return
    const { exchange } = this
    if (this.#tunnel !== null) {
      this.#tunnel.receiveEnd()
      if (this.localClosed) this.#connection.forget(this, false)
    } else if (exchange === null) this.#connection.forget(this, false)
    // Trailers wait for somebody who wants them.
    else if (!exchange.bodyDone && (exchange.wantsBody || this.#bodyTrailers === '')) {
      exchange.bodyEnded(this.#bodyTrailers)
    }
    this.watch()
  }

  get #taking(): boolean {
    if (this.#tunnel !== null) return this.#tunnel.wanting
    return this.exchange === null || this.exchange.receiving
  }

  #take(bytes: Buffer, from: number, to: number): void {
    if (this.#held.length === 0 && this.#taking) this.#deliver(bytes.subarray(from, to))
    else this.#held.add(bytes, from, to, this.#target)
  }

  #deliver(view: Buffer): void {
    const { length } = view
    if (this.#tunnel !== null) {
      if (!this.#tunnel.receive(view)) {
        this.#inTunnel = length
        return
      }
    } else if (this.exchange !== null) this.exchange.feed(view)
    else {
      this.#discarded += length
      if (this.#discarded > WORTH_DISCARDING) return this.#leave()
    }
    this.#credit(length)
  }

  /** Somebody wants (more of) the body. */
  bodyWanted(): void {
    // Who takes a long body is given it faster than it is at first.
    if (this.#bodyLeft > this.#receiveWindow) this.#enlarge()
    this.#leftTunnel()
    if (this.#held.length > 0 && this.#taking) this.#deliver(this.#held.take())
    if (this.remoteClosed) this.#ended()
    this.watch()
    this.#connection.touch()
  }

  /** Opens the window wider, as long as there is room for it. */
  #enlarge(): void {
    if (this.#target !== DEFAULT_WINDOW || this.remoteClosed) return
    if (!this.#connection.enlarge()) return
    this.#target = READ_WINDOW
    this.#taken += READ_WINDOW - DEFAULT_WINDOW
    this.#credit(0)
  }

  /** So much of the body is off our hands. */
  #credit(bytes: number): void {
    this.#connection.credit(bytes)
    this.#taken += bytes
    if (this.remoteClosed || this.#taken * 2 < this.#target) return
    this.#receiveWindow += this.#taken
    this.#connection.widen(this.id, this.#taken)
    this.#taken = 0
    const fast = clock.now - this.#toldAt <= FAST_MS
    this.#toldAt = clock.now
    if (this.exchange === null) return
    if (this.#bodyLeft === UNMEASURED ? fast : this.#bodyLeft > this.#receiveWindow) this.#enlarge()
  }

  /** The tunnel's reader has what waited there. */
  #leftTunnel(): void {
    const bytes = this.#inTunnel
    if (bytes === 0) return
    this.#inTunnel = 0
    this.#credit(bytes)
  }

  /** The rest of the body is for nobody. */
  #discard(): void {
    this.#leftTunnel()
    if (this.#held.length > 0) this.#credit(this.#held.take().length)
  }

  // The tunnel.

  openTunnel(tunnel: Http2Tunnel): void {
    this.#tunnel = tunnel
    this.watch()
    process.nextTick(() => {
      if (this.#tunnel === null) return
      this.bodyWanted()
      if (this.remoteClosed && this.#held.length === 0) tunnel.receiveEnd()
    })
  }

  /** The tunnel was closed from this side, or both are over. */
  tunnelClosed(): void {
    if (this.#tunnel === null) return
    if (this.localClosed && this.remoteClosed) this.#connection.forget(this, false)
    else this.#connection.reset(this, Http2Code.CANCEL)
  }

  // Ends.

  /** The visitor will send nothing more on the whole connection. */
  visitorEnded(): void {
    if (this.remoteClosed) return
    this.remoteClosed = true
    const { exchange } = this
    if (this.#tunnel !== null) this.#tunnel.receiveEnd()
    else if (exchange !== null && !exchange.bodyDone) {
      exchange.bodyFailed(new PorticoError('VISITOR_LEFT', 'before the body was complete'))
    }
  }

  /** Sets the deadline of what is waited for. */
  watch(): void {
    const { timeouts } = this.#connection
    if (this.#queue.length > 0) return
    if (this.#tunnel !== null) this.#deadline = clock.now + this.#connection.tunnelMs
    else if (!this.remoteClosed && this.#taking) this.#deadline = clock.now + timeouts.bodyMs
    else this.#deadline = FOR_EVER
  }

  /** Called at each tick of the clock. `full`: the visitor may send nothing on the whole connection. */
  check(now: number, full: boolean): void {
    if (now < this.#deadline) return
    if (this.#queue.length > 0 || this.#tunnel !== null) {
      return this.#connection.reset(this, Http2Code.CANCEL)
    }
    if (full) return this.watch()
    this.#deadline = FOR_EVER
    if (this.exchange === null) return this.#leave()
    this.exchange.bodyFailed(new PorticoError('SLOW_REQUEST', 'body'))
  }

  /** Nothing comes or goes any more: the connection has forgotten it. */
  close(): void {
    this.localClosed = true
    this.#lastCame()
    this.#queue.drop()
    this.#discard()
    const { exchange } = this
    const tunnel = this.#tunnel
    this.#tunnel = null
    this.exchange = null
    if (tunnel !== null) {
      exchange?.tunnelClosed(tunnel.sent)
      tunnel.destroy()
    }
    if (exchange === null) return
    if (tunnel === null && exchange.done) exchange.error ??= new PorticoError('VISITOR_LEFT')
    else exchange.lost()
    this.#connection.finished(exchange)
  }
}
