/** What a pool that retries, leaves out, hedges or queues has in one thread: see CarefulWalk. */
import type { Persistence } from '../persistence/persistence.ts'
import type { Exchange } from '../request/exchange.ts'
import type { PoolPlan } from '../site/plan.ts'
import type { ResiliencePlan } from '../site/resilience-plan.ts'
import { Breaker, type Trial } from './breaker.ts'
import { Budget } from './budget.ts'
import { Figures } from './figures.ts'
import { HEDGE_SHARE, Hedges } from './hedges.ts'
import type { Members } from './members.ts'
import { guardTargets } from './outliers.ts'
import { Places } from './places.ts'
import type { PoolCells } from './pool-cells.ts'
import { Quantile } from './quantile.ts'
import { PlaceQueue } from './queue.ts'
import { Sorry } from './sorry.ts'
import type { Target } from './target.ts'

export class Care {
  readonly pool: PoolPlan
  readonly plan: ResiliencePlan
  readonly members: Members
  readonly targets: readonly Target[]
  readonly figures: Figures
  /** Of retries; null: there are none. */
  readonly budget: Budget | null
  readonly breaker: Breaker | null
  readonly hedges: Hedges | null
  readonly queue: PlaceQueue | null
  readonly sorry: Sorry | null
  readonly #whose: Persistence | null
  /** Longest waits of a try for its connection and for the head of its answer, ms. */
  readonly connectMs: number
  readonly responseMs: number
  /** The latter where another try may follow. */
  readonly eachMs: number
  /** The scheduler looks at how fast servers are. */
  readonly timed: boolean
  readonly #complain: (line: string) => void

  constructor(
    pool: PoolPlan & { readonly resilience: ResiliencePlan },
    members: Members,
    cells: PoolCells,
    whose: Persistence | null,
    complain: (line: string) => void,
  ) {
    const plan = pool.resilience
    const { retry, breaker, hedge, queue, passive, slowStartMs } = plan
    this.pool = pool
    this.plan = plan
    this.members = members
    this.targets = members.tiers.flatMap(({ targets }) => targets)
    this.connectMs = pool.connectTimeoutMs
    this.responseMs = pool.responseTimeoutMs
    const eachMs = retry?.eachMs ?? 0
    this.eachMs = eachMs === 0 || this.targets.length === 1 ? this.responseMs : eachMs
    this.timed = members.tiers.some(({ scheduler }) => scheduler.timed)
    this.#complain = complain
    this.#whose = whose
    this.figures = new Figures(cells.figures)
    this.budget = retry === null ? null : new Budget(cells.retries, retry.budget)
    this.breaker = breaker === null ? null : new Breaker(cells.breaker, breaker)
    this.hedges =
      hedge === null
        ? null
        : new Hedges(
            hedge,
            new Budget(cells.hedges, hedge.budget),
            new Quantile(cells.times, HEDGE_SHARE),
          )
    this.queue =
      queue === null
        ? null
        : new PlaceQueue(new Places(cells.queue, queue.size), this.targets, this.figures)
    this.sorry = plan.sorry === null ? null : new Sorry(plan.sorry)
    if (passive !== null) guardTargets(this.targets, passive, cells.lock)
    if (slowStartMs > 0) for (const target of this.targets) target.startSlowly(slowStartMs)
  }

  /** Whose the visitor is; null: nobody's. */
  ownOf(visitor: Exchange): Target | null {
    if (this.#whose === null) return null
    return this.targets[this.#whose.find(visitor)] ?? null
  }

  /** A visitor may go to another server than its own. */
  get isFree(): boolean {
    return (this.pool.persistence?.whenDown ?? 'another') === 'another'
  }

  /** Requests that its servers have in hand, and that wait. */
  get pending(): number {
    let sum = this.queue?.depth ?? 0
    for (const target of this.targets) sum += target.active
    return sum
  }

  /** It has answered well. */
  good(target: Target): void {
    target.breaker?.good()
  }

  /** It begins to answer well; `trial`: null if that was none. */
  passed(target: Target, trial: Trial | null): void {
    if (trial === null || target.breaker?.pass(trial) !== true) return
    target.comesBack()
    this.#complain(`pool ${this.pool.name}: ${target.name} works again`)
  }

  /** It has failed. */
  bad(target: Target, trial: Trial | null): void {
    const { breaker } = target
    if (breaker?.bad(trial) !== true) return
    this.figures.add('leftOut')
    const seconds = Math.ceil(breaker.leftMs(performance.now()) / 1_000)
    this.#complain(`pool ${this.pool.name}: ${target.name} fails, and is left out for ${seconds}s`)
  }

  /** The pool as a whole has failed a visitor. */
  failed(trial: Trial | null): void {
    this.figures.add('failed')
    const { breaker } = this
    if (breaker?.bad(trial) !== true) return
    const seconds = Math.ceil(breaker.leftMs(performance.now()) / 1_000)
    this.#complain(`pool ${this.pool.name} fails, and is not asked for ${seconds}s`)
  }

  close(): void {
    this.queue?.close()
    this.hedges?.close()
  }
}
