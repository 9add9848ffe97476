/**
 * One try of a request at one server: to its transport it is the exchange, and whoever waits for it decides
 * what the visitor sees of the answer. States:
 *
 *     ASKED ──an answer that goes to the visitor──▶ ANSWERS ──▶ OVER
 *       │────an answer that somebody else improves on──▶ DROPPED ──▶ OVER
 *       └────failed, refused, called off──▶ OVER
 */
import type { Duplex } from 'node:stream'
import type { PorticoError } from '../errors.ts'
import type { AnswerHead, BodySink, Exchange } from '../request/exchange.ts'
import { ExchangeThrough } from '../request/through.ts'
import type { Attempt } from '../transports/transport.ts'
import type { Trial } from './breaker.ts'
import type { Target } from './target.ts'

/** More of an answer that nobody wants is not waited for: its connection is closed, bytes. */
const MOST_DROPPED = 65_536

const State = { ASKED: 0, ANSWERS: 1, DROPPED: 2, OVER: 3 } as const

/** Who sent it, and decides. */
export interface TryOwner {
  /** Whether the answer with this head goes to the visitor. False: it is dropped. */
  takes(one: Try, head: AnswerHead): boolean
  /** The answer is whole, or has become a tunnel. */
  answered(one: Try): void
  /** The server could not be connected to. */
  refused(one: Try, error: PorticoError): void
  /** There is no answer; `told`: but the visitor had a part of one, and has been told. */
  failed(one: Try, error: PorticoError, told: boolean): void
  /** The server has it no longer. */
  left(one: Try): void
  /** The answer begins. */
  heard(one: Try): void
  receive(one: Try, sink: BodySink): void
  resume(one: Try): void
  /** An interim answer may go to the visitor. */
  informs(one: Try): boolean
}

export class Try extends ExchangeThrough implements Attempt {
  readonly target: Target
  /** It is to show whether the server works again; null: it is not. */
  readonly trial: Trial | null
  readonly responseTimeoutMs: number
  readonly connectTimeoutMs: number
  /** On `performance.now()`. */
  readonly sentAt: number = performance.now()
  /** It has been counted as a failure. */
  blamed = false
  readonly #owner: TryOwner
  #state: number = State.ASKED
  #onGone: (() => void) | null = null
  #onDrain: (() => void) | null = null
  #dropped = 0

  constructor(
    owner: TryOwner,
    visitor: Exchange,
    target: Target,
    trial: Trial | null,
    connectMs: number,
    responseMs: number,
  ) {
    super(visitor)
    this.#owner = owner
    this.target = target
    this.trial = trial
    this.connectTimeoutMs = connectMs
    this.responseTimeoutMs = responseMs
  }

  /** Nothing of its answer has gone to the visitor, and more may come. */
  get open(): boolean {
    return this.#state === State.ASKED
  }

  /** What it has not shown by now, another one may. */
  settle(): void {
    if (this.trial !== null) this.target.breaker?.giveBack(this.trial)
  }

  /** Nobody waits for it any more. */
  callOff(): void {
    if (this.#state === State.OVER) return
    this.#state = State.OVER
    this.settle()
    const gone = this.#onGone
    this.#onGone = null
    this.#onDrain = null
    gone?.()
  }

  // As an attempt.

  heard(): void {
    this.#owner.heard(this)
  }

  refused(error: PorticoError): void {
    const { open } = this
    this.#state = State.OVER
    this.#owner.left(this)
    if (open) this.#owner.refused(this, error)
  }

  done(): void {
    this.#owner.left(this)
  }

  // As an exchange.

  override get answered(): boolean {
    return this.#state !== State.ASKED || this.visitor.answered
  }

  override get gone(): boolean {
    return this.#state === State.OVER || this.visitor.gone
  }

  override get onGone(): (() => void) | null {
    return this.#onGone
  }

  override set onGone(call: (() => void) | null) {
    this.#onGone = call
  }

  override get onDrain(): (() => void) | null {
    return this.#onDrain
  }

  override set onDrain(call: (() => void) | null) {
    this.#onDrain = call
    if (this.#state === State.ANSWERS) this.visitor.onDrain = call
  }

  override receive(sink: BodySink): void {
    this.#owner.receive(this, sink)
  }

  override resume(): void {
    this.#owner.resume(this)
  }

  override inform(status: number, fields: string): void {
    if (this.open && this.#owner.informs(this)) this.visitor.inform(status, fields)
  }

  override respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    if (!this.open) return
    const takes = this.#owner.takes(this, head)
    // Whoever drops it may have called it off.
    if (!this.open) return
    this.#state = State.OVER
    this.#owner.answered(this)
    if (takes) this.visitor.respond(head, body, length)
  }

  override start(head: AnswerHead, length: number): void {
    if (!this.open) return
    if (this.#owner.takes(this, head)) {
      this.#state = State.ANSWERS
      this.visitor.start(head, length)
    } else if (this.open) this.#state = State.DROPPED
  }

  override write(chunk: Uint8Array, owned: boolean): boolean {
    if (this.#state === State.ANSWERS) return this.visitor.write(chunk, owned)
    if (this.#state !== State.DROPPED) return true
    this.#dropped += chunk.length
    if (this.#dropped > MOST_DROPPED) this.callOff()
    return true
  }

  override end(trailers?: string): void {
    const answers = this.#state === State.ANSWERS
    if (this.#state === State.OVER) return
    this.#state = State.OVER
    this.#owner.answered(this)
    if (answers) this.visitor.end(trailers)
  }

  override fail(error: PorticoError): void {
    const before = this.#state
    if (before === State.OVER) return
    this.#state = State.OVER
    if (before === State.DROPPED) return
    const told = before === State.ANSWERS
    if (told) this.visitor.fail(error)
    this.#owner.failed(this, error, told)
    this.settle()
  }

  override upgrade(head: AnswerHead): Duplex {
    this.#owner.takes(this, head)
    this.#state = State.OVER
    this.#owner.answered(this)
    return this.visitor.upgrade(head)
  }
}
