/**
 * Limits how often and how many at a time: by address, host, header, cookie, or all visitors together. What
 * is counted is exact over all threads of the server. Who comes too often gets 429 with Retry-After.
 */
import { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'
import type { LimitPlan } from '../site/filters-plan.ts'
import { edits } from './edits.ts'
import type { Filter, FilterHost } from './filter.ts'
import { goOn } from './go-on.ts'
import { crowdsOf, ratesOf } from './limit/allocate.ts'
import { Crowds } from './limit/crowds.ts'
import { type LimitKey, limitKey } from './limit/key.ts'
import { Rates } from './limit/rates.ts'

export const limit: Filter<LimitPlan> = (plan, next, host) => new Limit(plan, next, host)

/** Errors up to so many seconds of waiting are made once: a stack for every refused request is dear. */
const MOST_KNOWN = 64

class Limit implements Handler {
  readonly name: string
  readonly #plan: LimitPlan
  readonly #next: Handler
  readonly #key: LimitKey
  readonly #rates: Rates | null
  readonly #crowds: Crowds | null
  readonly #wholeMs: number
  readonly #promptMs: number
  readonly #errors: PorticoError[] = []

  constructor(plan: LimitPlan, next: Handler, { limits }: FilterHost) {
    this.name = next.name
    this.#plan = plan
    this.#next = next
    this.#key = limitKey(plan.by)
    this.#rates = plan.intervalMs > 0 ? new Rates(limits[ratesOf(plan)]!) : null
    this.#crowds = plan.concurrency > 0 ? new Crowds(limits[crowdsOf(plan)]!) : null
    this.#wholeMs = plan.burst * plan.intervalMs
    this.#promptMs = plan.prompt * plan.intervalMs
  }

  handle(exchange: Exchange): void {
    const key = this.#key(exchange)
    if (this.#rates !== null) {
      const { intervalMs, tell } = this.#plan
      const missing = this.#rates.take(key, exchange.began, intervalMs, this.#wholeMs)
      if (tell) this.#tell(exchange, missing)
      if (missing < 0) return this.#refuse(exchange, -missing)
      if (missing > this.#promptMs) return this.#delay(exchange, key, missing - this.#promptMs)
    }
    this.#admit(exchange, key)
  }

  close(): void {
    this.#next.close?.()
  }

  #admit(exchange: Exchange, key: string): void {
    const crowds = this.#crowds
    if (crowds !== null) {
      const place = crowds.enter(key, this.#plan.concurrency)
      if (place === 0) return this.#refuse(exchange, 1000)
      const before = exchange.onFinished
      exchange.onFinished = () => {
        crowds.leave(place)
        before?.()
      }
    }
    goOn(this.#next, exchange)
  }

  /** Until its turn it holds its connection and nothing else; its body waits in the kernel. */
  #delay(exchange: Exchange, key: string, ms: number): void {
    const timer = setTimeout(() => {
      exchange.onGone = null
      this.#admit(exchange, key)
    }, ms)
    exchange.onGone = () => clearTimeout(timer)
  }

  #refuse(exchange: Exchange, ms: number): void {
    const seconds = Math.max(1, Math.ceil(ms / 1000))
    let error = this.#errors[seconds]
    if (error === undefined) {
      error = this.#error(seconds)
      if (seconds < MOST_KNOWN) this.#errors[seconds] = error
    }
    exchange.fail(error)
  }

  #error(retryAfter: number): PorticoError {
    const code = this.#plan.status === 503 ? 'TOO_MANY_NOW' : 'TOO_MANY'
    return new PorticoError(code, '', { retryAfter })
  }

  /** draft-ietf-httpapi-ratelimit-headers-07: three fields that clients know; seconds are whole. */
  #tell(exchange: Exchange, missing: number): void {
    const { intervalMs, burst } = this.#plan
    const left = missing < 0 ? 0 : Math.floor((this.#wholeMs - missing) / intervalMs + 1e-6)
    const reset = Math.ceil((missing < 0 ? -missing : missing) / 1000)
    const fields = `RateLimit-Limit: ${burst}\r\nRateLimit-Remaining: ${left}\r\nRateLimit-Reset: ${reset}\r\n`
    edits(exchange, (head: AnswerHead) => {
      const { fixed: _, ...rest } = head
      return { ...rest, fields: head.fields + fields }
    })
  }
}
