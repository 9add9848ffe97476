/**
 * The one retry loop: takes candidates from the schedulers until a backend accepts the exchange. First of
 * the servers, then of the backup servers; then of those that rest after a failure: they may be back.
 */
import { PorticoError } from '../errors.ts'
import type { Exchange } from '../request/exchange.ts'
import type { Attempt } from '../transports/transport.ts'
import type { Members } from './members.ts'
import type { Target } from './target.ts'

type Candidates = Iterator<Target, undefined>

export class Walk implements Attempt {
  readonly #exchange: Exchange
  readonly #members: Members
  #candidates: Candidates
  #tier = 0
  #inNeed = false
  #target: Target | null = null
  /** Those that refused this exchange; null: none yet. */
  #refused: Set<Target> | null = null

  constructor(exchange: Exchange, members: Members) {
    this.#exchange = exchange
    this.#members = members
    this.#candidates = this.#order()
  }

  /** Who has it. */
  protected get target(): Target {
    return this.#target!
  }

  /** Gives the exchange to the next candidate. `error`: why the one before refused. */
  next(error: PorticoError | null): void {
    for (;;) {
      const taken = this.#candidate()
      if (taken === undefined) {
        if (this.#goOn()) continue
        return this.#exchange.fail(error ?? new PorticoError('NO_BACKEND'))
      }
      if (this.#refused?.has(taken) === true || !taken.take()) continue
      this.#target = taken
      return this.send(taken, this.#exchange)
    }
  }

  protected send(target: Target, exchange: Exchange): void {
    target.transport.send(exchange, this)
  }

  refused(error: PorticoError): void {
    const { target } = this
    target.release()
    target.rest()
    this.#refused ??= new Set()
    this.#refused.add(target)
    this.next(error)
  }

  done(_failure?: PorticoError): void {
    this.target.release()
  }

  #order(): Candidates {
    const { targets, scheduler } = this.#members.tiers[this.#tier]!
    return scheduler.order(targets, this.#exchange)
  }

  #candidate(): Target | undefined {
    if (!this.#inNeed) return this.#candidates.next().value
    // Only for this walk: others need not wait for whoever is likely to be gone.
    this.#members.inNeed = true
    const { value } = this.#candidates.next()
    this.#members.inNeed = false
    return value
  }

  /** To the next ones to ask; false: all were. */
  #goOn(): boolean {
    if (++this.#tier === this.#members.tiers.length) {
      if (this.#inNeed) return false
      this.#inNeed = true
      this.#tier = 0
    }
    this.#candidates = this.#order()
    return true
  }
}
