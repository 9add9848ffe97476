/** The one retry loop: takes candidates from the schedulers until a backend accepts the exchange. */
import { PorticoError } from '../errors.ts'
import type { Exchange } from '../request/exchange.ts'
import type { Attempt, Transport } from '../transports/transport.ts'
import { Candidates } from './candidates.ts'
import type { Members } from './members.ts'
import type { Target } from './target.ts'

export class Walk extends Candidates<Transport> implements Attempt {
  readonly #exchange: Exchange
  #target: Target | null = null

  constructor(exchange: Exchange, members: Members) {
    super(exchange, members)
    this.#exchange = exchange
  }

  /** Who has it. */
  protected get target(): Target {
    return this.#target!
  }

  /** Gives the exchange to the next candidate. `error`: why the one before refused. */
  next(error: PorticoError | null): void {
    const target = this.find(true)
    if (target === undefined) return this.#exchange.fail(error ?? new PorticoError('NO_BACKEND'))
    this.#target = target
    this.send(target, this.#exchange)
  }

  protected send(target: Target, exchange: Exchange): void {
    target.transport.send(exchange, this)
  }

  refused(error: PorticoError): void {
    const { target } = this
    target.release()
    target.rest(error)
    this.setAside(target)
    this.next(error)
  }

  done(_failure?: PorticoError): void {
    this.target.release()
  }
}
