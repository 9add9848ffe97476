/**
 * Requests whose answer takes longer than nearly all others': a second server is asked. One timer for all of a
 * pool's requests in a thread, since each waits about as long.
 */
import type { HedgePlan } from '../site/resilience-plan.ts'
import type { Budget } from './budget.ts'
import type { Quantile } from './quantile.ts'

/** Of what 95 of 100 do not exceed. */
export const HEDGE_SHARE = 0.95
/** A second request makes no sense earlier, ms. */
const SOONEST_MS = 1

const FEW = 1_024

export interface Hedgeable {
  /** It is still without the beginning of an answer. */
  readonly hedgeable: boolean
  /** Asks a second server. */
  hedge(): void
}

export class Hedges {
  readonly budget: Budget
  readonly #plan: HedgePlan
  readonly #times: Quantile
  /** In the order in which they are due, nearly: the time they wait changes slowly. */
  #waiting: { readonly one: Hedgeable; readonly due: number }[] = []
  #head = 0
  /** With so many, those that are answered are let go of. */
  #most = FEW
  #timer: NodeJS.Timeout | null = null

  constructor(plan: HedgePlan, budget: Budget, times: Quantile) {
    this.#plan = plan
    this.budget = budget
    this.#times = times
  }

  /** An answer has begun after `ms`. */
  learn(ms: number): void {
    if (this.#plan.afterMs === null) this.#times.learn(ms)
  }

  /** After this a second server is asked, ms; null: too little is known. */
  afterMs(nowMs: number): number | null {
    const after = this.#plan.afterMs ?? this.#times.find(nowMs)
    return after === null ? null : Math.max(SOONEST_MS, after)
  }

  watch(one: Hedgeable, nowMs: number): void {
    const after = this.afterMs(nowMs)
    if (after === null) return
    if (this.#waiting.length >= this.#most) this.#tidy()
    this.#waiting.push({ one, due: nowMs + after })
    if (this.#timer === null) this.#sleep(after)
  }

  /** How many it remembers, those that are answered included. */
  get watched(): number {
    return this.#waiting.length - this.#head
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#waiting = []
    this.#head = 0
  }

  #sleep(ms: number): void {
    this.#timer = setTimeout(() => this.#wake(), Math.max(SOONEST_MS, ms))
  }

  #wake(): void {
    this.#timer = null
    const now = performance.now()
    for (;;) {
      const first = this.#waiting[this.#head]
      if (first === undefined) {
        this.#waiting = []
        this.#head = 0
        return
      }
      if (first.due > now && first.one.hedgeable) return this.#sleep(first.due - now)
      this.#head++
      if (first.one.hedgeable) first.one.hedge()
    }
  }

  /** Most are answered long before they are due. */
  #tidy(): void {
    this.#waiting = this.#waiting.slice(this.#head).filter(({ one }) => one.hedgeable)
    this.#head = 0
    this.#most = Math.max(FEW, 2 * this.#waiting.length)
  }
}
