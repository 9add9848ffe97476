/** One request on its way through an application: waiting, in a worker's hands, being answered. */
import type { PorticoError } from '../../errors.ts'
import { mayRunAhead } from '../../request/ahead.ts'
import { EMPTY_BODY, type WholeBody } from '../../request/body.ts'
import type { AnswerHead, Exchange } from '../../request/exchange.ts'
import type { DeadlinesPlan } from '../../site/plan.ts'
import { INITIAL_WINDOW, REQUEST_SPOOLED, REQUEST_WEBSOCKET } from '../../wire/frames.ts'
import type { Bridge } from './bridge.ts'
import { encodedFields, encodeLine, repeatedHead } from './encode.ts'
import { Upload } from './upload.ts'

/** How a job tells its link what the worker should know. */
export interface JobLink {
  /** The worker does not take what it is sent: wait for `Upload.pass` or `Bridge.pass`. */
  readonly congested: boolean
  grant(id: number, bytes: number): void
  cancel(id: number): void
  /** Sends the REQUEST that an upload had held back; `more`: BODY frames follow. */
  request(job: Job, more: boolean): void
  /** The REQUEST that an upload had held back is not wanted any more. */
  skip(job: Job): void
  body(id: number, bytes: Uint8Array): void
  bodyEnd(id: number): void
  message(id: number, text: boolean, bytes: Uint8Array): void
  /** Tells the worker that the WebSocket is closed. */
  webSocketClosed(id: number, code: number, reason: string): void
}

/** The head of an answer in parts; `length` is -1 when the application told none. */
export interface Announced {
  readonly head: AnswerHead
  readonly length: number
}

/** Granted back in steps of this many bytes. */
export const GRANT: number = INITIAL_WINDOW / 4

export class Job {
  readonly exchange: Exchange
  /** What goes into the REQUEST frame. */
  body: WholeBody
  /** Null: it is made of `line` and `fields`. */
  readonly head: Uint8Array | null
  readonly line: string
  readonly fields: Uint8Array
  /** Of the REQUEST frame. */
  flags: number
  /** The body comes in pieces, or came so. */
  readonly upload: Upload | null
  /** The visitor asks for a WebSocket, or has one. */
  webSocket: Bridge | null = null
  /** Set by the link that carries it: its name there, and its place in the order of sending. */
  id = 0
  turn = 0
  /** Its number among the requests written to that link; -1: it is not yet. */
  written = -1
  link: JobLink | null = null
  /** On `clock.now`: when it began to wait, then when it went to a worker or was cancelled. */
  since: number
  /** When it began to wait, on `performance.now()`; 0: it has not had to. */
  queued = 0
  /** Bytes of its answer's body that came over the link. */
  sent = 0
  /** Its route's; null: the application's. */
  deadlines: DeadlinesPlan | null = null
  /** It waits before the others. */
  urgent = false
  /** That it is slow was told. */
  slow = false
  /** It was in a worker that died, and was given to the next. */
  retried = false
  /** It stood behind a slow one and was taken back: it stands behind none again. */
  alone = false
  /** The same request in other hands, where it was taken back from these; this one is done for nobody. */
  twin: Job | null = null
  /** Nobody waits for the answer any more; what still comes is dropped. */
  dropped = false
  /** The deadline has passed, and the worker was told so. */
  overdue = false
  /** A head whose body comes next: held until it is known whether that is a file. */
  announced: Announced | null = null
  /** Bytes of DATA not yet granted back. */
  #taken = 0
  #stalled = 0
  /** Bytes that the visitor has not taken and that were granted back nevertheless. */
  #ahead = 0

  /** `body` null: it comes in pieces, when a worker has a place for it. */
  constructor(exchange: Exchange, body: WholeBody | null, now: number) {
    this.exchange = exchange
    this.since = now
    const { fields } = exchange
    if (body === null) {
      this.body = EMPTY_BODY
      this.upload = new Upload(this)
      this.flags = 0
      this.head = null
      this.line = encodeLine(exchange, fields.chunked ? '' : String(fields.contentLength))
    } else {
      this.body = body
      this.upload = null
      this.flags = body.path === '' ? 0 : REQUEST_SPOOLED
      const length = fields.hasLength || fields.chunked ? String(body.length) : ''
      this.head = repeatedHead(exchange, length)
      this.line = this.head === null ? encodeLine(exchange, length) : ''
    }
    this.fields = encodedFields(fields)
    exchange.onGone = this.#gone
  }

  /** May be given to another worker (RFC 9110 §9.2.1). */
  get safe(): boolean {
    const { method } = this.exchange.line
    return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
  }

  /** May be put into hands that are busy: should they not come to it, it may go to others, once. */
  get mayStandBehind(): boolean {
    return this.safe && !this.alone && !this.retried
  }

  /** Another worker may do it from the beginning: nobody has seen anything of it, and all of it is here. */
  get repeatable(): boolean {
    return (
      this.safe && !this.retried && !this.answering && (this.upload === null || this.upload.whole)
    )
  }

  /** Other hands may have it, although these may do it as well. */
  get movable(): boolean {
    const { repeatable, dropped, alone, upload, webSocket, body } = this
    const isPlain = upload === null && webSocket === null && body.length === 0
    return repeatable && !dropped && !alone && isPlain
  }

  /** The same request for other hands. What comes of this one is dropped. */
  split(now: number): Job {
    const twin = new Job(this.exchange, this.body, now)
    twin.deadlines = this.deadlines
    twin.urgent = this.urgent
    twin.alone = true
    this.twin = twin
    this.dropped = true
    return twin
  }

  /** The head of its answer has come. */
  get answering(): boolean {
    return this.announced !== null || this.exchange.answered
  }

  /** The visitor asks for a WebSocket. */
  offer(bridge: Bridge): void {
    this.webSocket = bridge
    this.flags |= REQUEST_WEBSOCKET
  }

  respond(head: AnswerHead, body: Uint8Array, length: number): void {
    this.sent = body.length
    if (!this.dropped) this.exchange.respond(head, body, length)
  }

  /** Starts the announced answer, unless it has been. */
  begin(): void {
    const announced = this.announced
    if (announced === null) return
    this.announced = null
    if (!this.dropped) this.exchange.start(announced.head, announced.length)
  }

  /** Takes the announced answer away from the worker: somebody else sends it. Null when nobody waits for it. */
  handOver(): Announced | null {
    const announced = this.announced
    if (this.dropped || announced === null) return null
    this.announced = null
    this.dropped = true
    return announced
  }

  data(bytes: Uint8Array): void {
    if (this.dropped) return
    this.#taken += bytes.length
    this.sent += bytes.length
    if (!this.exchange.write(bytes, false)) {
      this.exchange.onDrain ??= this.#drained
      this.#stalled = this.#taken
    }
    if (this.#taken < GRANT) return
    if (this.#stalled === 0) this.#drained()
    else if (mayRunAhead(this.#ahead + this.#taken)) {
      this.#ahead += this.#taken
      this.#grant()
    }
  }

  end(trailers: string): void {
    if (this.webSocket?.open === true) this.webSocket.workerEnded(false)
    else if (!this.dropped) this.exchange.end(trailers)
  }

  fail(error: PorticoError): void {
    if (this.webSocket?.open === true) return this.webSocket.workerEnded(true)
    if (this.dropped) return
    this.dropped = true
    this.exchange.fail(error)
  }

  readonly #drained = (): void => {
    this.#stalled = 0
    this.#ahead = 0
    this.#grant()
  }

  #grant(): void {
    const taken = this.#taken
    this.#taken = 0
    if (taken > 0) this.link?.grant(this.id, taken)
  }

  readonly #gone = (): void => {
    this.dropped = true
    this.link?.cancel(this.id)
  }
}
