/** One request on its way through an application: waiting, in a worker's hands, being answered. */
import type { PorticoError } from '../../errors.ts'
import type { WholeBody } from '../../request/body.ts'
import type { AnswerHead, Exchange } from '../../request/exchange.ts'
import { INITIAL_WINDOW } from '../../wire/frames.ts'
import { encodedFields, encodeLine } from './encode.ts'

/** How a job tells its link what the worker should know. */
export interface JobLink {
  grant(id: number, bytes: number): void
  cancel(id: number): void
}

/** The head of an answer in parts; `length` is -1 when the application told none. */
export interface Announced {
  readonly head: AnswerHead
  readonly length: number
}

/** Granted back in steps of this many bytes. */
const GRANT = INITIAL_WINDOW / 4

export class Job {
  readonly exchange: Exchange
  readonly body: WholeBody
  readonly line: string
  readonly fields: Uint8Array
  /** Set by the link that carries it: its name there, and its place in the order of sending. */
  id = 0
  turn = 0
  link: JobLink | null = null
  /** On `clock.now`: when it began to wait, then when it went to a worker. */
  since: number
  /** It was behind another one in a worker that died, and was given to the next. */
  retried = false
  /** Nobody waits for the answer any more; what still comes is dropped. */
  dropped = false
  /** A head whose body comes next: held until it is known whether that is a file. */
  announced: Announced | null = null
  /** Bytes of DATA that the visitor's socket has taken, not yet granted back. */
  #taken = 0
  #stalled = 0

  constructor(exchange: Exchange, body: WholeBody, now: number) {
    this.exchange = exchange
    this.body = body
    this.since = now
    const { fields } = exchange
    const length = fields.hasLength || fields.chunked ? String(body.length) : ''
    this.line = encodeLine(exchange, length)
    this.fields = encodedFields(fields)
    exchange.onGone = this.#gone
  }

  /** May stand behind another request, and may be given to another worker (RFC 9110 §9.2.1). */
  get safe(): boolean {
    const { method } = this.exchange.line
    return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
  }

  respond(head: AnswerHead, body: Uint8Array, length: number): void {
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
    if (!this.exchange.write(bytes, false)) {
      this.exchange.onDrain ??= this.#drained
      this.#stalled = this.#taken
    }
    if (this.#stalled === 0 && this.#taken >= GRANT) this.#drained()
  }

  end(): void {
    if (!this.dropped) this.exchange.end()
  }

  fail(error: PorticoError): void {
    if (this.dropped) return
    this.dropped = true
    this.exchange.fail(error)
  }

  readonly #drained = (): void => {
    const taken = this.#taken
    this.#taken = 0
    this.#stalled = 0
    if (taken > 0) this.link?.grant(this.id, taken)
  }

  readonly #gone = (): void => {
    this.dropped = true
    this.link?.cancel(this.id)
  }
}
