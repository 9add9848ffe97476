/** A walk that measures how long the backend takes to begin its answer, for schedulers that want to know. */
import type { PorticoError } from '../errors.ts'
import type { Exchange } from '../request/exchange.ts'
import type { Target } from './target.ts'
import { Walk } from './walk.ts'

/** A request that failed counts as one that took this long, ms: who fails at once is not fast. */
const FAILED_MS = 1_000

export class TimedWalk extends Walk {
  #sentAt = 0
  #heard = false

  protected override send(target: Target, exchange: Exchange): void {
    this.#sentAt = performance.now()
    super.send(target, exchange)
  }

  heard(): void {
    this.#heard = true
    const now = performance.now()
    this.target.learn(now - this.#sentAt, now)
  }

  override done(failure?: PorticoError): void {
    if (failure !== undefined && !this.#heard) {
      const now = performance.now()
      this.target.learn(Math.max(FAILED_MS, now - this.#sentAt), now)
    }
    super.done(failure)
  }
}
