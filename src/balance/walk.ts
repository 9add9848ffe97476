/** The one retry loop: takes candidates from the scheduler until a backend accepts the exchange. */
import { PorticoError } from '../errors.ts'
import type { Exchange } from '../request/exchange.ts'
import type { Scheduler } from '../schedulers/scheduler.ts'
import type { Attempt } from '../transports/transport.ts'
import type { Members } from './members.ts'
import type { Target } from './target.ts'

export class Walk implements Attempt {
  readonly #exchange: Exchange
  readonly #members: Members
  readonly #scheduler: Scheduler
  #candidates: Iterator<Target, undefined>
  #target: Target | null = null
  /** Those that refused this exchange; null: none yet. */
  #refused: Set<Target> | null = null
  #lastResort = false

  constructor(exchange: Exchange, members: Members, scheduler: Scheduler) {
    this.#exchange = exchange
    this.#members = members
    this.#scheduler = scheduler
    this.#candidates = scheduler.order(members.ready, exchange)
  }

  /** Gives the exchange to the next candidate. `error`: why the one before refused. */
  next(error: PorticoError | null): void {
    const taken = this.#candidates.next().value
    if (taken === undefined) return this.#exhausted(error)
    this.#target = taken
    taken.active++
    taken.transport.send(this.#exchange, this)
  }

  refused(error: PorticoError): void {
    const target = this.#target!
    target.active--
    this.#members.rest(target)
    this.#refused ??= new Set()
    this.#refused.add(target)
    this.next(error)
  }

  done(): void {
    this.#target!.active--
  }

  /** Those that rest are asked last: they may be back, and there is nobody else. */
  #exhausted(error: PorticoError | null): void {
    if (this.#lastResort) {
      return this.#exchange.fail(error ?? new PorticoError('NO_BACKEND'))
    }
    this.#lastResort = true
    const asked = this.#refused
    const left = this.#members.all.filter(
      (target) => asked?.has(target) !== true && !this.#members.ready.includes(target),
    )
    this.#candidates = this.#scheduler.order(left, this.#exchange)
    this.next(error)
  }
}
