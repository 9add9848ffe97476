/** Hot: runs a fetch handler for exchanges, whichever way they come. */
import { PorticoError } from '../errors.ts'
import { clock } from '../request/clock.ts'
import type { DeadlinesPlan } from '../site/plan.ts'
import { answer } from './answer.ts'
import { isBrokenBody } from './body.ts'
import type { FetchExchange } from './exchange.ts'
import type { FetchHandler } from './handler.ts'
import { abortRequest, makeRequest } from './request.ts'
import { type FetchServer, stackOf } from './server.ts'

/** Told of what an application did wrong; `what` is its stack. */
export type LogFailure = (exchange: FetchExchange, what: string) => void

/** A request whose answer is not there yet; in a list, oldest first. */
export class Pending {
  readonly exchange: FetchExchange
  /** Of its route; null: the application's. */
  readonly deadlines: DeadlinesPlan | null
  /** That it is slow was told. */
  slow = false
  /** On the coarse clock. */
  readonly since: number
  before: Pending | null = null
  after: Pending | null = null
  over = false

  constructor(exchange: FetchExchange, deadlines: DeadlinesPlan | null) {
    this.exchange = exchange
    this.deadlines = deadlines
    this.since = clock.now
  }
}

export class Caller {
  readonly #handler: FetchHandler
  readonly #server: FetchServer
  readonly #log: LogFailure
  #oldest: Pending | null = null
  #newest: Pending | null = null
  /** Requests whose answer has not begun. */
  pending = 0

  constructor(handler: FetchHandler, server: FetchServer, log: LogFailure) {
    this.#handler = handler
    this.#server = server
    this.#log = log
  }

  /** Has the application answer. Never throws. */
  call(exchange: FetchExchange, deadlines: DeadlinesPlan | null = null): void {
    const { method } = exchange.line
    // No Request can be of these (Fetch §2.2.1).
    if (method === 'TRACE' || method === 'TRACK') {
      return exchange.fail(new PorticoError('METHOD_NOT_ALLOWED', method))
    }
    const request = makeRequest(exchange)
    exchange.onGone = () => abortRequest(request)
    try {
      const { self, fetch } = this.#handler
      const server = this.#server
      const result: unknown = fetch.call(self, request, server, server)
      if (result instanceof Promise) this.#await(exchange, deadlines, result)
      else this.#settle(exchange, result)
    } catch (error) {
      this.#fail(exchange, error)
    }
  }

  /** Shows each request without an answer; what `judge` returns for one ends it. */
  expire(judge: (one: Pending) => PorticoError | null): void {
    for (let one = this.#oldest; one !== null; ) {
      const { after } = one
      const error = judge(one)
      if (error !== null) {
        this.#remove(one)
        if (!one.exchange.gone) one.exchange.fail(error)
      }
      one = after
    }
  }

  #await(exchange: FetchExchange, deadlines: DeadlinesPlan | null, result: Promise<unknown>): void {
    const one = new Pending(exchange, deadlines)
    one.before = this.#newest
    if (this.#newest === null) this.#oldest = one
    else this.#newest.after = one
    this.#newest = one
    this.pending++
    result.then(
      (response) => {
        if (this.#remove(one)) this.#settle(exchange, response)
      },
      (error) => {
        if (this.#remove(one)) this.#fail(exchange, error)
      },
    )
  }

  /** False: it was given up meanwhile. */
  #remove(one: Pending): boolean {
    if (one.over) return false
    one.over = true
    this.pending--
    if (one.before === null) this.#oldest = one.after
    else one.before.after = one.after
    if (one.after === null) this.#newest = one.before
    else one.after.before = one.before
    return true
  }

  #settle(exchange: FetchExchange, result: unknown): void {
    // A WebSocket needs no Response.
    if (exchange.gone || (result === undefined && exchange.answered)) return
    try {
      if (!(result instanceof Response)) {
        throw new TypeError(`the handler must return a Response, not ${kindOf(result)}`)
      }
      answer(exchange, result)?.catch((error: unknown) => this.#fail(exchange, error))
    } catch (error) {
      this.#fail(exchange, error)
    }
  }

  #fail(exchange: FetchExchange, error: unknown): void {
    if (exchange.gone) return
    // An application that has waited for the rest has done nothing wrong.
    if (isBrokenBody(error)) return exchange.fail(error)
    const stack = stackOf(error)
    this.#log(exchange, stack)
    exchange.fail(new PorticoError('APP_FAILED', stack))
  }
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return value.constructor?.name ?? 'an object'
}
