/**
 * Hot: what exchanges of every gateway have in common: the request's body on its way to whoever wants it,
 * the states of the answer, and how both end. What a protocol writes is its own. States:
 *
 *     NONE ──respond──────────────────────────▶ DONE
 *     NONE ──start──▶ STREAMING ──end─────────▶ DONE
 *     NONE ──upgrade──▶ TUNNEL          any ──fail/visitor left──▶ DONE (gone)
 */
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { PorticoError } from '../errors.ts'
import { errorPage } from '../request/error-page.ts'
import type { AnswerHead, BodySink, EditHead, Exchange, Peer } from '../request/exchange.ts'
import type { RoutedExchange } from '../request/flow.ts'
import type { Trace } from '../request/trace.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import type { RequestLine } from '../wire/request-line.ts'

export const AnswerState = { NONE: 0, STREAMING: 1, DONE: 2, TUNNEL: 3 } as const

/** Takes what is left of a body for nobody. */
export const DISCARD: BodySink = { data: () => true, end: () => {}, abort: () => {} }

/** What an exchange needs of the connection that carries it. */
export interface Carrier {
  readonly dev: boolean
  /** The exchange wants (more of) its body. */
  bodyWanted(): void
  /** The exchange's answer is complete. */
  answered(): void
  sendFile(fd: number, offset: number, length: number, done: (count: number) => void): void
}

export abstract class GatewayExchange implements RoutedExchange {
  readonly line: RequestLine
  fields: RequestFields
  peer: Peer
  trace: Trace | null = null
  readonly began: number
  route = 0
  prefix = ''
  captures: readonly string[] | null = null
  maxBody: number
  gone = false
  onGone: (() => void) | null = null
  onDrain: (() => void) | null = null
  onFinished: (() => void) | null = null
  edit: EditHead | null = null
  pages: NonNullable<Exchange['pages']> | null = null

  /** Status of the final answer, 0 before it. */
  status = 0
  /** Bytes of the answer's body that were given to the socket. */
  sent = 0
  /** The request's body has been read to its end, or given up. */
  bodyDone = false
  /** What ended the exchange badly, for the log. */
  error: PorticoError | null = null

  protected state: number = AnswerState.NONE
  /** Bytes of the answer's body still owed; below 0 where something else tells its end. */
  protected owed = -1
  /** HTTP has no body here, whatever is written. */
  protected dropBody = false
  /** The head of a streamed answer, held back to share a write with the first part. */
  protected pendingHead = ''
  /** Who wants the request's body. */
  protected sink: BodySink | null = null
  protected paused = false
  readonly #carrier: Carrier

  constructor(
    carrier: Carrier,
    line: RequestLine,
    fields: RequestFields,
    peer: Peer,
    maxBody: number,
  ) {
    this.#carrier = carrier
    this.line = line
    this.fields = fields
    this.peer = peer
    this.began = performance.now()
    this.maxBody = maxBody
  }

  abstract inform(status: number, fields: string): void
  abstract respond(head: AnswerHead, body: Uint8Array, length?: number): void
  abstract start(head: AnswerHead, length: number): void
  abstract write(chunk: Uint8Array, owned: boolean): boolean
  abstract end(trailers?: string): void
  abstract upgrade(head: AnswerHead): Duplex
  /** Sends the head that was held back, alone. */
  protected abstract sendHead(text: string): void
  /** Ends the connection in the middle of an answer, so that the visitor sees that. */
  protected abstract cutOff(): void

  get answered(): boolean {
    return this.state !== AnswerState.NONE
  }

  /** The answer is complete (or the exchange is lost). */
  get done(): boolean {
    return this.state === AnswerState.DONE
  }

  // The request's body.

  receive(sink: BodySink): void {
    if (this.gone) return
    if (this.bodyDone) return sink.end('')
    this.sink = sink
    this.expected()
    this.#carrier.bodyWanted()
  }

  /** Somebody wants the body: a visitor that waits to hear so is told. */
  protected expected(): void {}

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.#carrier.bodyWanted()
  }

  /** True while the connection should read body bytes for us. */
  get receiving(): boolean {
    return !this.bodyDone && this.sink !== null && !this.paused
  }

  /** Hands body bytes to whoever wants them; false: no more for now. */
  protected give(view: Uint8Array): boolean {
    const { sink } = this
    // A handler that answered before the body was complete wants no more of it, and neither wants a pause.
    if (sink === null || sink.data(view) || sink !== this.sink) return true
    this.paused = true
    return false
  }

  protected endBody(trailers: string): void {
    const { sink } = this
    this.sink = null
    sink?.end(trailers)
  }

  /** The body will not be complete. Tells the sink, then the visitor if nobody has. */
  bodyFailed(error: PorticoError): void {
    this.bodyDone = true
    const { sink } = this
    this.sink = null
    sink?.abort(error)
    if (this.state === AnswerState.NONE) this.fail(error)
  }

  // The answer.

  /** Notes the head; true where HTTP has no body. */
  protected beginAnswer(head: AnswerHead): boolean {
    this.status = head.status
    return this.line.method === 'HEAD' || head.status === 204 || head.status === 304
  }

  /** Holds a streamed answer's head back. */
  protected holdHead(text: string): void {
    this.state = AnswerState.STREAMING
    this.pendingHead = text
    // A part usually follows at once and shares the write; if none does, the head must not wait for it.
    process.nextTick(GatewayExchange.#flush, this)
  }

  static #flush(exchange: GatewayExchange): void {
    exchange.flushHead()
  }

  protected flushHead(): void {
    if (this.pendingHead !== '' && !this.gone) this.sendHead(this.takeHead())
  }

  /** The head that goes out with the next bytes, '' when it has gone. */
  protected takeHead(): string {
    const text = this.pendingHead
    this.pendingHead = ''
    return text
  }

  /** As much of a part as may be sent: never more than was announced, or it would be the next answer. */
  protected owedOf(chunk: Uint8Array): Uint8Array {
    let part = chunk
    if (this.owed >= 0) {
      if (part.length > this.owed) part = part.subarray(0, this.owed)
      this.owed -= part.length
    }
    return part
  }

  sendFile(fd: number, offset: number, length: number, done: (count: number) => void): void {
    const streaming = this.state === AnswerState.STREAMING && !this.gone && !this.dropBody
    if (!streaming || this.owed < length) return done(-1)
    this.flushHead()
    this.#carrier.sendFile(fd, offset, length, (count) => {
      if (count > 0) {
        this.owed -= count
        this.sent += count
      }
      done(count)
    })
  }

  fail(error: PorticoError): void {
    if (this.gone || this.state === AnswerState.DONE) return
    this.error ??= error
    if (this.pendingHead !== '') {
      // Begun, but nothing of it has left: it can still be another answer.
      this.pendingHead = ''
      this.state = AnswerState.NONE
      this.dropBody = false
    }
    if (this.state !== AnswerState.NONE) return this.cut(error)
    const page = this.pages?.(error) ?? errorPage(error, this.fields, this.#carrier.dev)
    this.respond(page.head, page.body)
  }

  protected cut(error: PorticoError): void {
    this.error ??= error
    this.cutOff()
  }

  protected finish(): void {
    this.state = AnswerState.DONE
    this.onGone = null
    this.onDrain = null
    if (!this.bodyDone) this.leaveBody()
    this.#carrier.answered()
  }

  /** The answer is complete before the request's body is: what is still to come is nobody's any more. */
  protected leaveBody(): void {
    this.sink = null
  }

  /** The connection is lost. */
  lost(): void {
    if (this.gone || this.state === AnswerState.DONE) return
    this.gone = true
    this.state = AnswerState.DONE
    this.error ??= new PorticoError('VISITOR_LEFT')
    const { sink } = this
    this.sink = null
    sink?.abort(this.error)
    const { onGone } = this
    this.onGone = null
    this.onDrain = null
    onGone?.()
  }
}
