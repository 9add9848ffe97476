/**
 * Hot: one request that a web server in front of us handed on, and its answer. The same for uwsgi,
 * FastCGI and SCGI: how heads and bytes look on the wire is the connection's. Its states: see
 * `../exchange.ts`.
 */
import { Duplex } from 'node:stream'
import { PorticoError } from '../../errors.ts'
import type { AnswerHead, Peer } from '../../request/exchange.ts'
import type { CgiRequest } from '../../wire/cgi-request.ts'
import { AnswerState, type Carrier, DISCARD, GatewayExchange } from '../exchange.ts'

const EMPTY = Buffer.alloc(0)
/** Of a body: its end is not told by a length. */
const UNMEASURED = Number.POSITIVE_INFINITY

/** What an exchange needs of the connection that carries it. */
export interface Front extends Carrier {
  /** An answer's head as this protocol has it, complete. `length` in bytes, or -1. */
  head(exchange: FrontExchange, head: AnswerHead, length: number): string
  /**
   * Sends the next part of the answer: its head ('' when that has gone), then bytes. `last`: nothing
   * follows. True when the kernel has taken everything, as Exchange.write.
   */
  emit(head: string, part: Uint8Array, owned: boolean, last: boolean): boolean
  /** Ends the connection in the middle of an answer, so that the front sees that. */
  cut(): void
}

export class FrontExchange extends GatewayExchange {
  /** SERVER_PROTOCOL. */
  readonly protocol: string
  readonly #front: Front
  /** Bytes of the request's body still to come. */
  #bodyLeft: number
  #bodySeen = 0

  constructor(front: Front, request: CgiRequest, peer: Peer, maxBody: number) {
    super(front, request.line, request.fields, peer, maxBody)
    this.#front = front
    this.protocol = request.protocol
    const { chunked, contentLength } = request.fields
    this.#bodyLeft = chunked ? UNMEASURED : contentLength
    this.bodyDone = this.#bodyLeft === 0
  }

  /** Bytes of the request's body that have not come yet, whether or not anybody waits for them. */
  get bodyLeft(): number {
    return this.#bodyLeft
  }

  // The request's body.

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
    if (end > from) this.give(bytes.subarray(from, end))
    if (this.bodyDone) this.endBody('')
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
    this.endBody('')
  }

  /** Takes what is left of the body for nobody, so that the connection can go on. */
  discardBody(): void {
    this.sink = DISCARD
    this.paused = false
    this.maxBody = UNMEASURED
  }

  // The answer.

  /** These protocols know no interim answers. */
  inform(): void {}

  respond(given: AnswerHead, body: Uint8Array, length: number = body.length): void {
    if (this.state !== AnswerState.NONE || this.gone) return
    const head = this.edit === null ? given : this.edit(given)
    const bodiless = this.beginAnswer(head)
    // RFC 9110 §8.6: no length with 204; with 304 only one that a 200 would have had.
    const untold = head.status === 204 || (head.status === 304 && length === 0)
    const told = bodiless ? length : body.length
    const text = this.#front.head(this, this.#named(head), untold ? -1 : told)
    const part = bodiless ? EMPTY : body
    this.sent = part.length
    this.#front.emit(text, part, true, true)
    this.finish()
  }

  start(given: AnswerHead, length: number): void {
    if (this.state !== AnswerState.NONE || this.gone) return
    const head = this.edit === null ? given : this.edit(given)
    this.dropBody = this.beginAnswer(head)
    const told = head.status === 204 || (head.status === 304 && length === 0) ? -1 : length
    this.owed = told
    this.holdHead(this.#front.head(this, this.#named(head), told))
  }

  /** With the id of the request, where the visitor is told and the head has none. */
  #named(head: AnswerHead): AnswerHead {
    const field = this.trace === null ? '' : this.trace.answerField
    if (field === '' || /^x-request-id:/im.test(head.fields)) return head
    return { ...head, fields: head.fields + field }
  }

  protected sendHead(text: string): void {
    this.#front.emit(text, EMPTY, true, false)
  }

  write(chunk: Uint8Array, owned: boolean): boolean {
    if (this.state !== AnswerState.STREAMING || this.gone) return true
    const part = this.owedOf(chunk)
    if (part.length === 0 || this.dropBody) return true
    this.sent += part.length
    return this.#front.emit(this.takeHead(), part, owned, false)
  }

  /** Trailers are for nobody: these protocols have none. */
  end(): void {
    if (this.state !== AnswerState.STREAMING || this.gone) return
    if (this.owed > 0 && !this.dropBody) {
      return this.cut(new PorticoError('BACKEND_CLOSED', 'a short body'))
    }
    this.#front.emit(this.takeHead(), EMPTY, true, true)
    this.finish()
  }

  /** The visitor's connection is the front's: nobody but that can change its protocol. */
  upgrade(): Duplex {
    this.fail(new PorticoError('INTERNAL', 'this request cannot be upgraded'))
    return new Duplex({ read() {}, write() {} }).destroy()
  }

  protected cutOff(): void {
    this.#front.cut()
  }
}
