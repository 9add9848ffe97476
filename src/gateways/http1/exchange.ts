/**
 * Hot: one HTTP/1.1 request and its answer on a connection. The connection feeds it the request's body;
 * handlers answer through it. States of the answer:
 *
 *     NONE ──respond──────────────────────────▶ DONE
 *     NONE ──start──▶ STREAMING ──end─────────▶ DONE
 *     NONE ──upgrade──▶ TUNNEL          any ──fail/visitor left──▶ DONE (gone)
 */
import type { Duplex } from 'node:stream'
import { PorticoError } from '../../errors.ts'
import { errorPage } from '../../request/error-page.ts'
import {
  type AnswerHead,
  type BodySink,
  COPIED,
  type Exchange,
  type Peer,
} from '../../request/exchange.ts'
import { ChunkedDecoder } from '../../wire/chunked.ts'
import { checkTrailers, type RequestFields } from '../../wire/request-fields.ts'
import type { RequestLine } from '../../wire/request-line.ts'
import type { Http1Connection } from './connection.ts'
import { encodeHead, encodeWhole, Framing, join, withOrders } from './encode.ts'
import { Tunnel } from './tunnel.ts'

const AnswerState = { NONE: 0, STREAMING: 1, DONE: 2, TUNNEL: 3 } as const

/** Of an unread request body: how much we read and drop to keep the connection. */
const WORTH_DISCARDING = 262_144

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')
const CRLF = Buffer.from('\r\n')

export class Http1Exchange implements Exchange {
  readonly line: RequestLine
  fields: RequestFields
  peer: Peer
  readonly began: number
  readonly #connection: Http1Connection
  prefix = ''
  captures: readonly string[] | null = null
  maxBody: number
  gone = false
  onGone: (() => void) | null = null
  onDrain: (() => void) | null = null

  /** Status of the final answer, 0 before it. */
  status = 0
  /** Bytes of the answer's body that were given to the socket. */
  sent = 0
  /** The connection may carry another request after this one. */
  keep: boolean
  /** The request's body has been read to its end, or given up. */
  bodyDone: boolean
  /** What ended the exchange badly, for the log. */
  error: PorticoError | null = null

  #state: number = AnswerState.NONE
  /** Bytes of the answer's body still owed, or one of Framing. */
  #owed: number = Framing.NONE
  #dropBody = false
  /** The head of a streamed answer, held back to share a write with the first part. */
  #head = ''

  #sink: BodySink | null = null
  #paused = false
  /** Bytes of a sized request body still to come. */
  #bodyLeft: number
  #bodySeen = 0
  readonly #decoder: ChunkedDecoder | null
  readonly #onChunk: (view: Uint8Array) => boolean

  constructor(
    connection: Http1Connection,
    line: RequestLine,
    fields: RequestFields,
    peer: Peer,
    maxBody: number,
    keep: boolean,
  ) {
    this.#connection = connection
    this.line = line
    this.fields = fields
    this.peer = peer
    this.began = performance.now()
    this.maxBody = maxBody
    this.keep = keep
    this.#bodyLeft = fields.contentLength
    this.#decoder = fields.chunked ? new ChunkedDecoder() : null
    this.#onChunk = fields.chunked ? (view) => this.#chunk(view) : noChunk
    this.bodyDone = !fields.chunked && fields.contentLength === 0
  }

  get answered(): boolean {
    return this.#state !== AnswerState.NONE
  }

  /** The answer is complete (or the exchange is lost). */
  get done(): boolean {
    return this.#state === AnswerState.DONE
  }

  get tunnelled(): boolean {
    return this.#state === AnswerState.TUNNEL
  }

  // The request's body.

  receive(sink: BodySink): void {
    if (this.gone) return
    if (this.bodyDone) return sink.end('')
    this.#sink = sink
    if (this.fields.expectContinue && this.#bodySeen === 0 && this.#state === AnswerState.NONE) {
      this.#connection.send(CONTINUE)
    }
    this.#connection.bodyWanted()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#connection.bodyWanted()
  }

  /** True while the connection should read body bytes for us. */
  get receiving(): boolean {
    return !this.bodyDone && this.#sink !== null && !this.#paused
  }

  /**
   * Takes body bytes from `bytes[from, to)`; returns where it stopped. Throws nothing: what is wrong
   * with the body ends the exchange.
   */
  feed(bytes: Buffer, from: number, to: number): number {
    try {
      return this.#decoder === null
        ? this.#feedSized(bytes, from, to)
        : this.#feedChunked(this.#decoder, bytes, from, to)
    } catch (error) {
      this.bodyFailed(
        error instanceof PorticoError ? error : new PorticoError('INTERNAL', '', { cause: error }),
      )
      return to
    }
  }

  #feedSized(bytes: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#bodyLeft)
    this.#bodyLeft -= end - from
    this.#bodySeen += end - from
    if (this.#bodyLeft === 0) this.bodyDone = true
    this.#give(bytes.subarray(from, end))
    if (this.bodyDone) this.#endBody('')
    return end
  }

  #feedChunked(decoder: ChunkedDecoder, bytes: Buffer, from: number, to: number): number {
    const at = decoder.decode(bytes, from, to, this.#onChunk)
    if (decoder.done && !this.bodyDone) {
      checkTrailers(decoder.trailers)
      this.bodyDone = true
      this.#endBody(decoder.trailers)
    }
    return at
  }

  #chunk(view: Uint8Array): boolean {
    this.#bodySeen += view.length
    if (this.#bodySeen > this.maxBody)
      throw new PorticoError('TOO_LARGE_BODY', `over ${this.maxBody} bytes`)
    return this.#give(view)
  }

  /** Hands body bytes to whoever wants them; false: no more for now. */
  #give(view: Uint8Array): boolean {
    const sink = this.#sink
    // A handler that answered before the body was complete wants no more of it, and neither wants a pause.
    if (sink === null || sink.data(view) || sink !== this.#sink) return true
    this.#paused = true
    return false
  }

  #endBody(trailers: string): void {
    const sink = this.#sink
    this.#sink = null
    sink?.end(trailers)
  }

  /** The body will not be complete. Tells the sink, then the visitor if nobody has. */
  bodyFailed(error: PorticoError): void {
    this.bodyDone = true
    this.keep = false
    const sink = this.#sink
    this.#sink = null
    sink?.abort(error)
    if (this.#state === AnswerState.NONE) this.fail(error)
  }

  // The answer.

  inform(status: number, fields: string): void {
    // RFC 9110 §15.2: no interim answers to HTTP/1.0.
    if (this.#state !== AnswerState.NONE || this.gone || this.line.minor < 1) return
    this.#connection.send(
      Buffer.from(
        encodeHead({ status, reason: '', fields, has: 3 }, Framing.NONE, '', ''),
        'latin1',
      ),
    )
  }

  respond(given: AnswerHead, body: Uint8Array, length: number = body.length): void {
    if (this.#state !== AnswerState.NONE || this.gone) return
    const head = this.#toldTo(given)
    const bodiless = this.#begin(head)
    let framing = body.length
    if (bodiless)
      framing = head.status === 204 || (head.status === 304 && length === 0) ? Framing.NONE : length
    const { serverName } = this.#connection
    if (!bodiless && body.length > 0 && body.length <= COPIED) {
      this.sent = body.length
      this.#connection.send(encodeWhole(head, body, this.#connectionLine(), serverName))
    } else {
      const text = encodeHead(head, framing, this.#connectionLine(), serverName)
      if (bodiless || body.length === 0) this.#connection.send(Buffer.from(text, 'latin1'))
      else {
        this.sent = body.length
        this.#connection.sendTwo(Buffer.from(text, 'latin1'), body)
      }
    }
    this.#finish()
  }

  start(given: AnswerHead, length: number): void {
    if (this.#state !== AnswerState.NONE || this.gone) return
    const head = this.#toldTo(given)
    const bodiless = this.#begin(head)
    this.#state = AnswerState.STREAMING
    this.#dropBody = bodiless
    let framing = length
    if (head.status === 204) framing = Framing.NONE
    else if (head.status === 304) framing = length > 0 ? length : Framing.NONE
    else if (length < 0) {
      // RFC 9112 §6.3: without chunks, only the connection's end can tell the body's end.
      framing = this.line.minor >= 1 ? Framing.CHUNKED : Framing.NONE
      if (framing === Framing.NONE && !bodiless) this.keep = false
    }
    this.#owed = framing
    this.#head = encodeHead(head, framing, this.#connectionLine(), this.#connection.serverName)
    // A part usually follows at once and shares the write; if none does, the head must not wait for it.
    process.nextTick(Http1Exchange.#flush, this)
  }

  static #flush(exchange: Http1Exchange): void {
    exchange.#flushHead()
  }

  #flushHead(): void {
    if (this.#head === '' || this.gone) return
    const text = this.#head
    this.#head = ''
    this.#connection.send(Buffer.from(text, 'latin1'))
  }

  write(chunk: Uint8Array, owned: boolean): boolean {
    if (this.#state !== AnswerState.STREAMING || this.gone) return true
    let part = chunk
    if (this.#owed >= 0) {
      // Never more than was announced: surplus would be read as the next answer.
      if (part.length > this.#owed) part = part.subarray(0, this.#owed)
      this.#owed -= part.length
    }
    if (part.length === 0 || this.#dropBody) return true
    this.sent += part.length
    if (this.#owed === Framing.CHUNKED) return this.#writeChunk(part, owned)
    const head = this.#head
    this.#head = ''
    if (head === '') return this.#connection.send(owned ? part : Buffer.from(part))
    if (part.length <= COPIED) return this.#connection.send(join(head, part))
    return this.#connection.sendTwo(Buffer.from(head, 'latin1'), owned ? part : Buffer.from(part))
  }

  sendFile(fd: number, offset: number, length: number, done: (count: number) => void): void {
    const streaming = this.#state === AnswerState.STREAMING && !this.gone && !this.#dropBody
    if (!streaming || this.#owed < length) return done(-1)
    this.#flushHead()
    this.#connection.sendFile(fd, offset, length, (count) => {
      if (count > 0) {
        this.#owed -= count
        this.sent += count
      }
      done(count)
    })
  }

  #writeChunk(part: Uint8Array, owned: boolean): boolean {
    const size = `${this.#head}${part.length.toString(16)}\r\n`
    this.#head = ''
    if (!owned || part.length <= COPIED) {
      const bytes = Buffer.allocUnsafe(size.length + part.length + 2)
      bytes.write(size, 0, size.length, 'latin1')
      bytes.set(part, size.length)
      bytes[bytes.length - 2] = 0x0d
      bytes[bytes.length - 1] = 0x0a
      return this.#connection.send(bytes)
    }
    this.#connection.sendTwo(Buffer.from(size, 'latin1'), part)
    return this.#connection.send(CRLF)
  }

  end(trailers = ''): void {
    if (this.#state !== AnswerState.STREAMING || this.gone) return
    if (this.#owed > 0 && !this.#dropBody)
      return this.#cut(new PorticoError('BACKEND_CLOSED', 'a short body'))
    if (this.#owed === Framing.CHUNKED && !this.#dropBody) {
      const last = `${this.#head}0\r\n${trailers}\r\n`
      this.#head = ''
      this.#connection.send(Buffer.from(last, 'latin1'))
    } else this.#flushHead()
    this.#finish()
  }

  fail(error: PorticoError): void {
    if (this.gone || this.#state === AnswerState.DONE) return
    this.error ??= error
    if (this.#head !== '') {
      // Begun, but nothing of it has left: it can still be another answer.
      this.#head = ''
      this.#state = AnswerState.NONE
    }
    if (this.#state !== AnswerState.NONE) return this.#cut(error)
    const page = errorPage(error, this.fields, this.#connection.dev)
    this.respond(page.head, page.body)
  }

  get canUpgrade(): boolean {
    return true
  }

  upgrade(head: AnswerHead): Duplex {
    const tunnel = new Tunnel(this.#connection.socket)
    if (this.#state !== AnswerState.NONE || this.gone) return tunnel.destroy()
    this.#state = AnswerState.TUNNEL
    this.status = head.status
    this.keep = false
    this.#connection.send(
      Buffer.from(encodeHead(head, Framing.NONE, '', this.#connection.serverName), 'latin1'),
    )
    return this.#connection.tunnel(tunnel)
  }

  /** The tunnel is over. */
  tunnelClosed(bytes: number): void {
    this.sent = bytes
    this.#state = AnswerState.DONE
  }

  /** The connection is lost. */
  lost(): void {
    if (this.gone || this.#state === AnswerState.DONE) return
    this.gone = true
    this.#state = AnswerState.DONE
    this.error ??= new PorticoError('VISITOR_LEFT')
    const sink = this.#sink
    this.#sink = null
    sink?.abort(this.error)
    const onGone = this.onGone
    this.onGone = null
    this.onDrain = null
    onGone?.()
  }

  /** A trusted proxy may be the one that a backend's orders are for. */
  #toldTo(head: AnswerHead): AnswerHead {
    return head.orders === undefined || this.peer.proxy === undefined ? head : withOrders(head)
  }

  #begin(head: AnswerHead): boolean {
    this.status = head.status
    if (!this.bodyDone) this.#judgeRest()
    return this.line.method === 'HEAD' || head.status === 204 || head.status === 304
  }

  /** The answer comes before the request's body was read: is the rest worth reading? */
  #judgeRest(): void {
    const waiting = this.fields.expectContinue && this.#bodySeen === 0 && this.#sink === null
    if (waiting || this.#decoder !== null || this.#bodyLeft > WORTH_DISCARDING) this.keep = false
  }

  /** RFC 9112 §9.3, and for HTTP/1.0 the keep-alive that it never had. */
  #connectionLine(): string {
    if (this.#connection.draining) this.keep = false
    if (!this.keep) return 'Connection: close\r\n'
    return this.line.minor === 0 ? 'Connection: keep-alive\r\n' : ''
  }

  #finish(): void {
    this.#state = AnswerState.DONE
    this.onGone = null
    this.onDrain = null
    // What is still to come of the body is nobody's any more.
    if (!this.bodyDone) {
      this.#sink = this.keep ? DISCARD : null
      this.#paused = false
    }
    this.#connection.answered()
  }

  #cut(error: PorticoError): void {
    this.error ??= error
    this.keep = false
    this.#connection.cut(this.#state === AnswerState.STREAMING && this.#owed === Framing.NONE)
  }
}

function noChunk(): boolean {
  return true
}

const DISCARD: BodySink = { data: () => true, end: () => {}, abort: () => {} }
