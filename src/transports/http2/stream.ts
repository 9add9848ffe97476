/**
 * One exchange on a connection to a backend (RFC 9113 §5.1): its request with what flow control lets pass,
 * and its answer. It is over when both sides have said all, or one has reset it.
 */
import { PorticoError } from '../../errors.ts'
import { mayRunAhead } from '../../request/ahead.ts'
import { clock } from '../../request/clock.ts'
import type { BodySink, Exchange } from '../../request/exchange.ts'
import { DEFAULT_WINDOW, Http2Code, Http2Fault, MOST_WINDOW } from '../../wire/http2.ts'
import type { ReceivedHead } from '../backend/answer.ts'
import { forwardedTrailers } from '../backend/end-to-end.ts'
import { answerAtOnce } from '../backend/whole-answer.ts'
import type { HttpHead } from '../http1/answer.ts'
import type { Attempt } from '../transport.ts'
import { Repeatable } from './repeatable.ts'

/** What the backend may send of an answer before we have taken any, bytes. */
export const ANSWER_WINDOW = 262_144
/** Added to every deadline, ms: the clock may be a tick behind. */
const TICK_MS = 250
const MOST_TRAILERS = 100
const MOST_INTERIM = 32
const NEVER = Number.POSITIVE_INFINITY
const EMPTY = new Uint8Array(0)

/** Repeating these changes nothing more (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** What a stream needs of the connection that carries it. */
export interface StreamCarrier {
  readonly name: string
  readonly responseTimeoutMs: number
  readonly bodyTimeoutMs: number
  /** What its peer takes in a frame, bytes. */
  readonly mostFrame: number
  /** What it may still send on all streams together, bytes. */
  readonly sendable: number
  /** The backend has not taken what was written. */
  readonly congested: boolean
  sendData(stream: number, bytes: Uint8Array, end: boolean): void
  sendTrailers(stream: number, trailers: string): void
  /** The backend may send so much more. */
  widen(stream: number, bytes: number): void
  /** The stream is over; `code`: the backend is told to stop, -1: it has. */
  over(stream: ClientStream, code: number): void
  /** The exchange is sent again: the backend has not processed it. */
  again(exchange: Exchange, attempt: Attempt): void
}

export class ClientStream implements BodySink {
  readonly id: number
  /** On the coarse clock, ms. */
  deadline: number
  readonly #carrier: StreamCarrier
  #exchange: Exchange | null
  readonly #attempt: Attempt
  #heard = false
  #interims = 0
  #answer: ReceivedHead | null = null
  #started = false
  /** Bytes of the body that are still to come; -1: untold. */
  #left = -1
  #hidden = false
  /** Of the answer, that we have taken and the backend does not know of. */
  #taken = 0
  /** Bytes of the answer that wait for the visitor. */
  #ahead = 0
  #receiveWindow = ANSWER_WINDOW

  /** The request has a body, or had one. */
  #uploads = false
  #sent = false
  #sendWindow: number
  #queue: Buffer[] = []
  #queued = 0
  #ending = false
  #trailers = ''
  #paused = false

  constructor(
    carrier: StreamCarrier,
    id: number,
    window: number,
    exchange: Exchange,
    attempt: Attempt,
  ) {
    this.#carrier = carrier
    this.id = id
    this.#sendWindow = window
    this.#exchange = exchange
    this.#attempt = attempt
    this.deadline = this.#later(this.#responseTimeoutMs)
    exchange.onGone = () => {
      this.#detach()
      attempt.done()
      this.#carrier.over(this, Http2Code.CANCEL)
    }
  }

  get #responseTimeoutMs(): number {
    return this.#attempt.responseTimeoutMs ?? this.#carrier.responseTimeoutMs
  }

  #later(ms: number): number {
    return clock.now + ms + TICK_MS
  }

  // The request.

  /** The head is on its way; the body follows. */
  upload(): void {
    this.#uploads = true
    this.#exchange?.receive(this)
    this.#watch()
  }

  /** There is no body. */
  complete(): void {
    this.#sent = true
  }

  data(chunk: Uint8Array): boolean {
    if (this.#exchange === null || chunk.length === 0) return true
    this.#queue.push(Buffer.from(chunk))
    this.#queued += chunk.length
    this.pump()
    if (this.#queued === 0 && !this.#carrier.congested) return true
    this.#paused = true
    this.#watch()
    return false
  }

  end(trailers: string): void {
    if (this.#exchange === null) return
    this.#ending = true
    this.#trailers = forwardedTrailers(trailers, MOST_TRAILERS)
    this.pump()
    this.#watch()
  }

  abort(error: PorticoError): void {
    if (this.#exchange !== null) this.fail(error, Http2Code.CANCEL)
  }

  /** Sends what the windows allow. */
  pump(): void {
    const carrier = this.#carrier
    while (this.#queued > 0) {
      const first = this.#queue[0]!
      const room = Math.min(this.#sendWindow, carrier.sendable, carrier.mostFrame)
      if (room <= 0) return
      const part = first.subarray(0, room)
      if (part.length === first.length) this.#queue.shift()
      else this.#queue[0] = first.subarray(room)
      this.#queued -= part.length
      this.#sendWindow -= part.length
      const last = this.#queued === 0 && this.#ending && this.#trailers === ''
      carrier.sendData(this.id, part, last)
      if (last) return this.#uploaded()
    }
    if (this.#ending && !this.#sent) {
      if (this.#trailers === '') carrier.sendData(this.id, EMPTY, true)
      else carrier.sendTrailers(this.id, this.#trailers)
      return this.#uploaded()
    }
    if (this.#paused && !carrier.congested) {
      this.#paused = false
      this.#watch()
      this.#exchange?.resume()
    }
  }

  #uploaded(): void {
    this.#sent = true
    this.#paused = false
    this.#watch()
  }

  /** While a body is on its way, the backend is late only when it takes none of it. */
  #watch(): void {
    if (this.#started) return
    const backendsTurn = this.#sent || this.#paused || this.#queued > 0
    this.deadline = backendsTurn ? this.#later(this.#responseTimeoutMs) : NEVER
  }

  /** The backend takes so much more. Throws Http2Fault. */
  widened(bytes: number): void {
    this.#sendWindow += bytes
    if (this.#sendWindow > MOST_WINDOW) {
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'window too large', this.id)
    }
    if (this.#uploads && !this.#sent) {
      this.#watch()
      this.pump()
    }
  }

  // The answer.

  /** A head, interim or final. `end`: nothing comes behind it. Throws Http2Fault. */
  head(answer: HttpHead, end: boolean): void {
    const exchange = this.#exchange
    if (exchange === null) return
    if (!this.#heard) {
      this.#heard = true
      this.#attempt.heard?.()
    }
    const { status } = answer.head
    if (status < 200) {
      // §8.6: there is no 101 here.
      if (status === 101 || end || ++this.#interims > MOST_INTERIM) throw this.#wrong('interim')
      if (status > 101) exchange.inform(status, answer.head.fields)
      return
    }
    this.#hidden = exchange.line.method === 'HEAD' || status === 204 || status === 304
    this.#left = this.#hidden ? -1 : answer.contentLength
    this.#answer = answer
    this.deadline = this.#later(this.#carrier.bodyTimeoutMs)
    if (end) this.#complete(EMPTY, '')
  }

  /** The final head has come. */
  get answered(): boolean {
    return this.#answer !== null
  }

  /** What has come of the answer is given to the visitor: no more was read. */
  flush(): void {
    const exchange = this.#exchange
    const answer = this.#answer
    if (exchange === null || answer === null || this.#started) return
    this.#started = true
    exchange.start(answer.head, answer.contentLength)
  }

  /** `view` is valid only during the call; `length`: with its padding. Throws Http2Fault. */
  body(view: Uint8Array, length: number, end: boolean): void {
    this.#receiveWindow -= length
    if (this.#receiveWindow < 0) {
      throw new Http2Fault(Http2Code.FLOW_CONTROL_ERROR, 'more than its window', this.id)
    }
    const exchange = this.#exchange
    if (exchange === null) return
    if (this.#answer === null) throw this.#wrong('a body without a head')
    if (this.#hidden && view.length > 0) throw this.#wrong('a body where there is none')
    if (this.#left >= 0) {
      this.#left -= view.length
      if (this.#left < 0) throw this.#wrong('more than its Content-Length')
    }
    this.#taken += length
    if (end) return this.#complete(view, '')
    this.flush()
    this.deadline = this.#later(this.#carrier.bodyTimeoutMs)
    if (view.length === 0 || exchange.write(view, false)) return this.#credit()
    if (this.#exchange !== exchange) return
    exchange.onDrain = this.#onDrain
    this.#ahead += view.length
    if (mayRunAhead(this.#ahead)) this.#credit()
    // The visitor is slower than the backend, who is not to blame for it.
    else this.deadline = NEVER
  }

  readonly #onDrain = (): void => {
    this.#ahead = 0
    this.deadline = this.#later(this.#carrier.bodyTimeoutMs)
    this.#credit()
  }

  #credit(): void {
    if (this.#taken * 2 < ANSWER_WINDOW) return
    this.#receiveWindow += this.#taken
    this.#carrier.widen(this.id, this.#taken)
    this.#taken = 0
  }

  /** Behind the body. Throws Http2Fault. */
  trailers(block: string): void {
    this.#complete(EMPTY, forwardedTrailers(block, MOST_TRAILERS))
  }

  #complete(body: Uint8Array, trailers: string): void {
    const exchange = this.#exchange
    const answer = this.#answer
    if (exchange === null || answer === null) return
    if (this.#left > 0) throw this.#wrong('less than its Content-Length')
    const started = this.#started
    this.#detach()
    // §8.1: a request whose answer is complete need not be sent to its end.
    this.#carrier.over(this, this.#sent ? -1 : Http2Code.NO_ERROR)
    this.#attempt.done()
    if (!started) return answerAtOnce(exchange, answer, body, false, trailers)
    if (body.length > 0) exchange.write(body, false)
    exchange.end(trailers)
  }

  #wrong(what: string): Http2Fault {
    return new Http2Fault(Http2Code.PROTOCOL_ERROR, what, this.id)
  }

  // Ends.

  #detach(): void {
    const exchange = this.#exchange
    this.#exchange = null
    this.#queue = []
    this.#queued = 0
    if (exchange === null) return
    exchange.onGone = null
    exchange.onDrain = null
  }

  expire(): void {
    this.fail(new PorticoError('BACKEND_SLOW', this.#carrier.name), Http2Code.CANCEL)
  }

  /** `code`: the backend is told to stop, -1: it need not be. */
  fail(error: PorticoError, code: number): void {
    const exchange = this.#exchange
    this.#carrier.over(this, code)
    if (exchange === null) return
    this.#detach()
    this.#attempt.done(error)
    exchange.fail(error)
  }

  /** The backend has ended the stream (§7, §8.7). */
  reset(code: number): void {
    if (code === Http2Code.REFUSED_STREAM) return this.unprocessed(`RST_STREAM ${code}`)
    this.fail(new PorticoError('BACKEND_CLOSED', `${this.#carrier.name} RST_STREAM ${code}`), -1)
  }

  /** The backend says that it has done nothing for it: it may be sent again, where it is all there. */
  unprocessed(why: string): void {
    const exchange = this.#exchange
    if (exchange === null) return this.#carrier.over(this, -1)
    if (this.#heard || (this.#uploads && !isWhole(exchange))) {
      return this.fail(new PorticoError('BACKEND_CLOSED', `${this.#carrier.name} ${why}`), -1)
    }
    this.#detach()
    this.#carrier.over(this, -1)
    this.#carrier.again(exchange, this.#attempt)
  }

  /** The connection is lost: nobody knows what became of it. `used`: it may have been closed for its age. */
  lost(why: string, used: boolean): void {
    const method = this.#exchange?.line.method ?? ''
    if (used && IDEMPOTENT.has(method)) return this.unprocessed(why)
    this.fail(new PorticoError('BACKEND_CLOSED', `${this.#carrier.name} ${why}`.trim()), -1)
  }
}

function isWhole(exchange: Exchange): boolean {
  return exchange instanceof Repeatable && exchange.whole
}

/** Of a connection whose peer has not said otherwise. */
export const FIRST_WINDOW: number = DEFAULT_WINDOW
