/**
 * Hot: one request that a web server in front of us handed on, and its answer. The same for uwsgi,
 * FastCGI and SCGI: how heads and bytes look on the wire is the connection's. States of the answer:
 *
 *     NONE ──respond──────────────────────────▶ DONE
 *     NONE ──start──▶ STREAMING ──end─────────▶ DONE        any ──fail/front left──▶ DONE (gone)
 */
import { Duplex } from 'node:stream'
import { PorticoError } from '../../errors.ts'
import { errorPage } from '../../request/error-page.ts'
import type { AnswerHead, BodySink, Peer } from '../../request/exchange.ts'
import type { RoutedExchange } from '../../request/flow.ts'
import type { CgiRequest } from '../../wire/cgi-request.ts'
import type { RequestFields } from '../../wire/request-fields.ts'
import type { RequestLine } from '../../wire/request-line.ts'

const AnswerState = { NONE: 0, STREAMING: 1, DONE: 2 } as const

const EMPTY = Buffer.alloc(0)
/** Of a body: its end is not told by a length. */
const UNMEASURED = Number.POSITIVE_INFINITY

/** What an exchange needs of the connection that carries it. */
export interface Front {
  readonly dev: boolean
  /** An answer's head as this protocol has it, complete. `length` in bytes, or -1. */
  head(exchange: FrontExchange, head: AnswerHead, length: number): string
  /**
   * Sends the next part of the answer: its head ('' when that has gone), then bytes. `last`: nothing
   * follows. True when the kernel has taken everything, as Exchange.write.
   */
  emit(head: string, part: Uint8Array, owned: boolean, last: boolean): boolean
  sendFile(fd: number, offset: number, length: number, done: (count: number) => void): void
  /** The exchange wants (more of) its body. */
  bodyWanted(): void
  /** The exchange's answer is complete. */
  answered(): void
  /** Ends the connection in the middle of an answer, so that the front sees that. */
  cut(): void
}

export class FrontExchange implements RoutedExchange {
  readonly line: RequestLine
  fields: RequestFields
  peer: Peer
  /** SERVER_PROTOCOL. */
  readonly protocol: string
  readonly began: number
  readonly #front: Front
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
  /** The request's body has been read to its end, or given up. */
  bodyDone: boolean
  /** What ended the exchange badly, for the log. */
  error: PorticoError | null = null

  #state: number = AnswerState.NONE
  /** Bytes of the answer's body still owed; -1: nobody knows. */
  #owed = -1
  #dropBody = false
  /** The head of a streamed answer, held back to share a write with the first part. */
  #head = ''
  #sink: BodySink | null = null
  #paused = false
  /** Bytes of the request's body still to come. */
  #bodyLeft: number
  #bodySeen = 0

  constructor(front: Front, request: CgiRequest, peer: Peer, maxBody: number) {
    this.#front = front
    this.line = request.line
    this.fields = request.fields
    this.protocol = request.protocol
    this.peer = peer
    this.began = performance.now()
    this.maxBody = maxBody
    const { chunked, contentLength } = request.fields
    this.#bodyLeft = chunked ? UNMEASURED : contentLength
    this.bodyDone = this.#bodyLeft === 0
  }

  get answered(): boolean {
    return this.#state !== AnswerState.NONE
  }

  /** The answer is complete (or the exchange is lost). */
  get done(): boolean {
    return this.#state === AnswerState.DONE
  }

  /** Bytes of the request's body that have not come yet, whether or not anybody waits for them. */
  get bodyLeft(): number {
    return this.#bodyLeft
  }

  // The request's body.

  receive(sink: BodySink): void {
    if (this.gone) return
    if (this.bodyDone) return sink.end('')
    this.#sink = sink
    this.#front.bodyWanted()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#front.bodyWanted()
  }

  /** True while the connection should read body bytes for us. */
  get receiving(): boolean {
    return !this.bodyDone && this.#sink !== null && !this.#paused
  }

  /** Takes body bytes from `bytes[from, to)`; returns where it stopped. */
  feed(bytes: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#bodyLeft)
    this.#bodyLeft -= end - from
    this.#bodySeen += end - from
    if (this.#bodySeen > this.maxBody) {
      this.bodyFailed(new PorticoError('TOO_LARGE_BODY', `over ${this.maxBody} bytes`))
      return end
    }
    if (this.#bodyLeft === 0) this.bodyDone = true
    const sink = this.#sink
    // A handler that answered before the body was complete wants no more of it, and neither wants a pause.
    if (sink !== null && end > from && !sink.data(bytes.subarray(from, end))) {
      this.#paused = sink === this.#sink
    }
    if (this.bodyDone) this.#endBody()
    return end
  }

  /** The front says that this was all of the body. */
  bodyEnded(): void {
    if (this.bodyDone) return
    if (this.#bodyLeft !== UNMEASURED) {
      return this.bodyFailed(new PorticoError('VISITOR_LEFT', 'before the body was complete'))
    }
    this.#bodyLeft = 0
    this.bodyDone = true
    this.#endBody()
  }

  #endBody(): void {
    const sink = this.#sink
    this.#sink = null
    sink?.end('')
  }

  /** The body will not be complete. Tells the sink, then the front if nobody has. */
  bodyFailed(error: PorticoError): void {
    this.bodyDone = true
    const sink = this.#sink
    this.#sink = null
    sink?.abort(error)
    if (this.#state === AnswerState.NONE) this.fail(error)
  }

  /** Takes what is left of the body for nobody, so that the connection can go on. */
  discardBody(): void {
    this.#sink = DISCARD
    this.#paused = false
    this.maxBody = UNMEASURED
  }

  // The answer.

  /** These protocols know no interim answers. */
  inform(): void {}

  respond(head: AnswerHead, body: Uint8Array, length: number = body.length): void {
    if (this.#state !== AnswerState.NONE || this.gone) return
    const bodiless = this.#begin(head)
    // RFC 9110 §8.6: no length with 204; with 304 only one that a 200 would have had.
    const untold = head.status === 204 || (head.status === 304 && length === 0)
    const told = bodiless ? length : body.length
    const text = this.#front.head(this, head, untold ? -1 : told)
    const part = bodiless ? EMPTY : body
    this.sent = part.length
    this.#front.emit(text, part, true, true)
    this.#finish()
  }

  start(head: AnswerHead, length: number): void {
    if (this.#state !== AnswerState.NONE || this.gone) return
    this.#dropBody = this.#begin(head)
    this.#state = AnswerState.STREAMING
    const told = head.status === 204 || (head.status === 304 && length === 0) ? -1 : length
    this.#owed = told
    this.#head = this.#front.head(this, head, told)
    // A part usually follows at once and shares the write; if none does, the head must not wait for it.
    process.nextTick(FrontExchange.#flush, this)
  }

  static #flush(exchange: FrontExchange): void {
    exchange.#flushHead()
  }

  #flushHead(): void {
    if (this.#head === '' || this.gone) return
    const text = this.#head
    this.#head = ''
    this.#front.emit(text, EMPTY, true, false)
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
    const text = this.#head
    this.#head = ''
    return this.#front.emit(text, part, owned, false)
  }

  sendFile(fd: number, offset: number, length: number, done: (count: number) => void): void {
    const streaming = this.#state === AnswerState.STREAMING && !this.gone && !this.#dropBody
    if (!streaming || this.#owed < length) return done(-1)
    this.#flushHead()
    this.#front.sendFile(fd, offset, length, (count) => {
      if (count > 0) {
        this.#owed -= count
        this.sent += count
      }
      done(count)
    })
  }

  /** Trailers are for nobody: these protocols have none. */
  end(): void {
    if (this.#state !== AnswerState.STREAMING || this.gone) return
    if (this.#owed > 0 && !this.#dropBody) {
      return this.#cut(new PorticoError('BACKEND_CLOSED', 'a short body'))
    }
    const text = this.#head
    this.#head = ''
    this.#front.emit(text, EMPTY, true, true)
    this.#finish()
  }

  fail(error: PorticoError): void {
    if (this.gone || this.#state === AnswerState.DONE) return
    this.error ??= error
    if (this.#head !== '') {
      // Begun, but nothing of it has left: it can still be another answer.
      this.#head = ''
      this.#state = AnswerState.NONE
      this.#dropBody = false
    }
    if (this.#state !== AnswerState.NONE) return this.#cut(error)
    const page = errorPage(error, this.fields, this.#front.dev)
    this.respond(page.head, page.body)
  }

  /** The visitor's connection is the front's: nobody but that can change its protocol. */
  upgrade(): Duplex {
    this.fail(new PorticoError('INTERNAL', 'this request cannot be upgraded'))
    return new Duplex({ read() {}, write() {} }).destroy()
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

  /** True where HTTP has no body. */
  #begin(head: AnswerHead): boolean {
    this.status = head.status
    return this.line.method === 'HEAD' || head.status === 204 || head.status === 304
  }

  #finish(): void {
    this.#state = AnswerState.DONE
    this.onGone = null
    this.onDrain = null
    if (!this.bodyDone) this.#sink = null
    this.#front.answered()
  }

  #cut(error: PorticoError): void {
    this.error ??= error
    this.#front.cut()
  }
}

const DISCARD: BodySink = { data: () => true, end: () => {}, abort: () => {} }
