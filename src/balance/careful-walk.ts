/**
 * One request's way through a pool that has a say in what happens when servers fail, are slow or full:
 *
 *     arrives ── breaker ──▶ place ──▶ try ──▶ answer ──▶ visitor
 *                             │  ▲      │ │
 *                          queue ┘      │ └─ late: a second try beside it (hedge), the first answer wins
 *                                       └─ failed, or a status that is retried: place, try again
 *
 * What is retried is kept from the visitor, so that only the last answer is seen.
 */
import { type ErrorCode, PorticoError } from '../errors.ts'
import type { AnswerHead, BodySink, Exchange } from '../request/exchange.ts'
import { KeptBody } from '../request/kept-body.ts'
import type { Trouble } from '../site/resilience-plan.ts'
import type { Transport } from '../transports/transport.ts'
import type { Trial } from './breaker.ts'
import { Candidates } from './candidates.ts'
import type { Care } from './care.ts'
import type { Hedgeable } from './hedges.ts'
import type { Ticket } from './places.ts'
import { mayBecomeFree, type PlaceQueue, type Waiter } from './queue.ts'
import type { Target } from './target.ts'
import { Try, type TryOwner } from './try.ts'

/** Sending these twice does no more than once (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])
/** These only ask. */
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
/** A request that failed counts as one that took this long, ms: who fails at once is not fast. */
const FAILED_MS = 1_000
const NEVER = Number.POSITIVE_INFINITY

const TROUBLES: Partial<Record<ErrorCode, Trouble>> = {
  BACKEND_CLOSED: 'closed',
  BACKEND_SLOW: 'timeout',
  BACKEND_LIED: 'garbage',
}

export class CarefulWalk extends Candidates<Transport> implements TryOwner, Hedgeable, Waiter {
  readonly #visitor: Exchange
  readonly #care: Care
  /** On `performance.now()`. */
  readonly #endsAt: number
  /** Servers that were asked. */
  #tries = 0
  #first: Try | null = null
  /** Sent while the first one is late. */
  #second: Try | null = null
  #body: KeptBody | null = null
  /** The body has gone to a server without being kept. */
  #bodyGone = false
  #ticket: Ticket | null = null
  /** Whose the visitor is, where it may have to wait. */
  #own: Target | null = null
  /** It is to show whether the pool works again; null: it is not. */
  #poolTrial: Trial | null = null
  /** The visitor has left. */
  #over = false

  constructor(visitor: Exchange, care: Care) {
    super(visitor, care.members)
    this.#visitor = visitor
    this.#care = care
    const timeMs = care.plan.retry?.timeMs ?? 0
    this.#endsAt = timeMs === 0 ? NEVER : visitor.began + timeMs
  }

  begin(): void {
    const { breaker, plan, figures, budget, hedges, queue } = this.#care
    figures.add('requests')
    if (breaker !== null) {
      const most = plan.breaker?.pending ?? 0
      if (most > 0 && this.#care.pending >= most) return this.#turnAway('POOL_FULL', 1)
      const admission = breaker.admit()
      if (admission === 'no') {
        return this.#turnAway('POOL_RESTS', Math.ceil(breaker.leftMs(performance.now()) / 1_000))
      }
      if (admission === 'trial') this.#poolTrial = breaker.beginTrial()
    }
    budget?.earn()
    hedges?.budget.earn()
    this.#visitor.onGone = () => this.#gone()
    if (queue !== null && this.#hasToWait(queue)) this.#wait()
    else this.#next(null)
  }

  /** Others were here before, or the server that the visitor belongs to is full. */
  #hasToWait(queue: PlaceQueue): boolean {
    const own = this.#care.ownOf(this.#visitor)
    this.#own = own
    if (own === null) return queue.depth > 0 && queue.hasHope
    return mayBecomeFree(own) && own.active >= own.most
  }

  /** There is a place that may become free for it. */
  get #mayWait(): boolean {
    const { queue, isFree } = this.#care
    if (queue === null || this.#tries > 0) return false
    if (this.#own !== null && mayBecomeFree(this.#own)) return true
    return (this.#own === null || isFree) && queue.hasHope
  }

  /** Asks the next server. `error`: why the one before did not answer. */
  #next(error: PorticoError | null): void {
    if (error !== null && performance.now() >= this.#endsAt) return this.#fail(error)
    const target = this.find(true)
    if (target !== undefined) this.#send(target, this.trial)
    else if (this.#mayWait) this.#wait()
    else this.#fail(error ?? new PorticoError('NO_BACKEND'))
  }

  #send(target: Target, trial: Trial | null): void {
    const one = this.#make(target, trial)
    this.#first = one
    target.transport.send(one, one)
    if (this.#tries === 1 && this.hedgeable) this.#care.hedges?.watch(this, one.sentAt)
  }

  #make(target: Target, trial: Trial | null): Try {
    const { connectMs, responseMs, eachMs } = this.#care
    this.#tries++
    // Who has no other chance has all the time there is.
    const waitMs = eachMs < responseMs && this.#repeatable ? eachMs : responseMs
    if (this.#endsAt === NEVER) {
      return new Try(this, this.#visitor, target, trial, connectMs, waitMs)
    }
    const left = Math.max(1, this.#endsAt - performance.now())
    const [connect, response] = [Math.min(connectMs, left), Math.min(waitMs, left)]
    return new Try(this, this.#visitor, target, trial, connect, response)
  }

  // Another server.

  /** What it is allows that it is sent once more. */
  get #repeatable(): boolean {
    const { retry } = this.#care.plan
    if (retry === null || this.#tries >= retry.tries) return false
    const { line, fields } = this.#visitor
    if (!retry.unsafe && !IDEMPOTENT.has(line.method)) return false
    return fields.contentLength <= retry.body
  }

  /** Whether it may be sent once more now. */
  #mayRepeat(): boolean {
    const visitor = this.#visitor
    if (!this.#repeatable || visitor.gone || visitor.answered) return false
    if (this.#bodyGone || this.#body?.whole === false) return false
    return performance.now() < this.#endsAt
  }

  /** Sends it to another server in place of `one`; false: that is not possible. */
  #retry(one: Try, need: boolean): boolean {
    if (!this.#mayRepeat()) return false
    this.setAside(one.target)
    const target = this.find(need)
    if (target === undefined) return false
    if (this.#care.budget?.spend() === false) {
      this.#care.figures.add('retriesRefused')
      this.#giveBack(target, this.trial)
      return false
    }
    this.#care.figures.add('retries')
    this.#send(target, this.trial)
    return true
  }

  get hedgeable(): boolean {
    const { hedges } = this.#care
    const { line, fields, gone } = this.#visitor
    if (hedges === null || gone || this.#second !== null || this.#first?.open !== true) return false
    // Another server would take the visitor over.
    if (this.belongs) return false
    const bare = !fields.chunked && fields.contentLength === 0 && fields.upgrade === ''
    return bare && READS.has(line.method)
  }

  hedge(): void {
    const { hedges, figures } = this.#care
    const first = this.#first!
    this.setAside(first.target)
    const target = this.find(false)
    if (target === undefined) return
    if (hedges?.budget.spend() !== true) return this.#giveBack(target, this.trial)
    figures.add('hedges')
    const second = this.#make(target, this.trial)
    this.#second = second
    target.transport.send(second, second)
  }

  /** The other one of two that are on their way; null: there is none. */
  #beside(one: Try): Try | null {
    return one === this.#first ? this.#second : this.#first
  }

  /** It will not answer. */
  #forget(one: Try): void {
    if (one === this.#first) this.#first = this.#second
    this.#second = null
  }

  // What becomes of a try.

  heard(one: Try): void {
    const { hedges, timed } = this.#care
    if (hedges === null && !timed) return
    const now = performance.now()
    if (timed) one.target.learn(now - one.sentAt, now)
    hedges?.learn(now - one.sentAt)
  }

  takes(one: Try, { status }: AnswerHead): boolean {
    const { retry, passive } = this.#care.plan
    if (passive?.on.statuses.includes(status) === true) this.#blame(one)
    else this.#care.passed(one.target, one.trial)
    const beside = this.#beside(one)
    if (retry?.on.statuses.includes(status) === true) {
      if (beside?.open === true) {
        this.#forget(one)
        return false
      }
      if (this.#retry(one, false)) return false
    }
    if (beside !== null) {
      if (one === this.#second) this.#care.figures.add('hedgesWon')
      this.#forget(beside)
      beside.callOff()
    }
    // Its own request may still be on its way.
    this.#body?.settle()
    this.#judge(status)
    return true
  }

  answered(one: Try): void {
    if (!one.blamed) this.#care.good(one.target)
    if (one === this.#first) this.#body?.drop()
  }

  refused(one: Try, error: PorticoError): void {
    one.target.rest(error)
    this.#blame(one)
    this.setAside(one.target)
    // Nothing was asked of it.
    this.#tries--
    if (this.#over) return
    if (this.#beside(one) !== null) this.#forget(one)
    else this.#next(error)
  }

  failed(one: Try, error: PorticoError, told: boolean): void {
    const { plan, timed } = this.#care
    if (error.fault === 'visitor') {
      this.#body?.drop()
      this.#settle()
      if (!told) this.#visitor.fail(error)
      return
    }
    const trouble = TROUBLES[error.code]
    if (trouble !== undefined && plan.passive?.on.troubles.includes(trouble) === true) {
      this.#blame(one)
    }
    const now = performance.now()
    if (timed) one.target.learn(Math.max(FAILED_MS, now - one.sentAt), now)
    if (told || this.#over) {
      this.#body?.drop()
      return this.#care.failed(this.#poolTrial)
    }
    if (this.#beside(one) !== null) return this.#forget(one)
    const retried = trouble !== undefined && plan.retry?.on.troubles.includes(trouble) === true
    if (!retried || !this.#retry(one, true)) this.#fail(error)
  }

  left(one: Try): void {
    this.#giveBack(one.target, null)
  }

  informs(one: Try): boolean {
    return this.#beside(one) === null
  }

  /** `trial`: what it was to show, and did not; null: nothing. */
  #giveBack(target: Target, trial: Trial | null): void {
    const { queue } = this.#care
    if (trial !== null) target.breaker?.giveBack(trial)
    if (queue === null) target.release()
    else queue.release(target)
  }

  #blame(one: Try): void {
    if (one.blamed) return
    one.blamed = true
    this.#care.bad(one.target, one.trial)
  }

  // The request's body.

  receive(_one: Try, sink: BodySink): void {
    const { retry } = this.#care.plan
    if (retry !== null && (this.#body !== null || this.#repeatable)) {
      this.#body ??= new KeptBody(this.#visitor, retry.body)
      this.#body.give(sink)
    } else {
      this.#bodyGone = true
      this.#visitor.receive(sink)
    }
  }

  resume(one: Try): void {
    if (this.#body === null) this.#visitor.resume()
    else if (one === this.#first) this.#body.resume()
  }

  // The queue.

  #wait(): void {
    const { queue, plan } = this.#care
    const left = this.#endsAt - performance.now()
    const timeoutMs = Math.max(1, Math.min(plan.queue!.timeoutMs, left))
    const own = this.#own !== null && mayBecomeFree(this.#own) ? this.#own : null
    this.#ticket = queue!.wait(this, timeoutMs, own)
    if (this.#ticket === null) {
      this.#care.figures.add('queueFull')
      this.#fail(new PorticoError('POOL_FULL', '', { retryAfter: this.#patience() }))
    }
  }

  granted(target: Target, trial: Trial | null): void {
    this.#ticket = null
    if (this.#over) this.#giveBack(target, trial)
    else this.#send(target, trial)
  }

  inVain(): void {
    this.#ticket = null
    if (this.#over) return
    this.#care.figures.add('queueLate')
    this.#fail(new PorticoError('POOL_LATE', '', { retryAfter: this.#patience() }))
  }

  /** Whoever comes again later than that meets another queue, s. */
  #patience(): number {
    return Math.ceil(this.#care.plan.queue!.timeoutMs / 1_000)
  }

  // Ends.

  #gone(): void {
    this.#over = true
    this.#settle()
    this.#ticket?.leave()
    const [first, second] = [this.#first, this.#second]
    this.#body?.drop()
    first?.callOff()
    second?.callOff()
  }

  /** The visitor gets an answer with this status. */
  #judge(status: number): void {
    const { breaker, plan } = this.#care
    if (breaker === null) return
    if (plan.breaker?.on.statuses.includes(status) === true) this.#care.failed(this.#poolTrial)
    else {
      if (this.#poolTrial !== null) breaker.pass(this.#poolTrial)
      breaker.good()
    }
  }

  /** What the pool has not shown by now, another request may. */
  #settle(): void {
    if (this.#poolTrial !== null) this.#care.breaker?.giveBack(this.#poolTrial)
  }

  /** No server has answered. */
  #fail(error: PorticoError): void {
    this.#body?.drop()
    if (error.fault === 'backend') this.#care.failed(this.#poolTrial)
    this.#settle()
    this.#sorry(error)
  }

  #turnAway(code: ErrorCode, seconds: number): void {
    this.#care.figures.add('turnedAway')
    this.#sorry(new PorticoError(code, '', { retryAfter: Math.max(1, seconds) }))
  }

  #sorry(error: PorticoError): void {
    const { sorry } = this.#care
    if (sorry === null || !sorry.covers(error)) return this.#visitor.fail(error)
    this.#visitor.respond(sorry.head(error), sorry.body)
  }
}
