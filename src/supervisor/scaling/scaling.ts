/** How many workers an application is to have now: what its algorithm says, between its bounds. */
import type { AppLoad } from '../../server/protocol.ts'
import type { CommonAppPlan, ScalePlan } from '../../site/plan.ts'
import { backlog } from './backlog.ts'
import { busyness } from './busyness.ts'
import { delay } from './delay.ts'
import type { Load, Scaler } from './scaler.ts'
import { spare } from './spare.ts'

export const SCALERS: Readonly<Record<ScalePlan['by'], (plan: ScalePlan) => Scaler>> = {
  spare,
  backlog,
  busyness,
  delay,
}

const nothing: AppLoad = {
  workers: 0,
  busy: 0,
  waiting: 0,
  served: 0,
  workMs: 0,
  delayMs: 0,
  capacity: 1,
  sinceMs: 0,
}

export class Scaling {
  readonly #plan: ScalePlan | undefined
  readonly #most: number
  readonly #memory: () => number
  readonly #changed: () => void
  readonly #now: () => number
  readonly #scaler: Scaler | null
  #wanted: number
  #cycle: AppLoad = nothing
  #activeAt: number

  /** `memory`: what the workers hold, bytes; `changed` is told when `wanted` is different. */
  constructor(
    app: Pick<CommonAppPlan, 'workers' | 'scale'>,
    memory: () => number,
    changed: () => void,
    now: () => number = () => performance.now(),
  ) {
    this.#plan = app.scale
    this.#most = app.workers
    this.#memory = memory
    this.#changed = changed
    this.#now = now
    this.#scaler = app.scale === undefined ? null : SCALERS[app.scale.by](app.scale)
    this.#wanted = app.scale?.min ?? app.workers
    this.#activeAt = now()
  }

  get wanted(): number {
    return this.#wanted
  }

  /** Not even the warm parent is needed. */
  get mayRest(): boolean {
    return this.#plan?.warm === false && this.#wanted === 0
  }

  /** Begins with as many as there are where this is to take over, so that nobody waits for more to come. */
  follow(before: number): void {
    if (this.#plan === undefined) return
    this.#wanted = Math.min(this.#most, Math.max(this.#plan.min, before))
    this.#activeAt = this.#now()
  }

  /** One more or one less by hand, from 1 to `most`. Returns how many are wanted then. */
  adjust(by: 1 | -1, most: number): number {
    this.#want(Math.min(Math.max(1, this.#wanted + by), Math.max(most, this.#wanted)))
    return this.#wanted
  }

  /** Somebody waits, and there may be no worker. */
  wake(): void {
    this.#activeAt = this.#now()
    if (this.#wanted === 0) this.#want(1)
  }

  /** What the server has seen since it last told. */
  load(load: AppLoad): void {
    const plan = this.#plan
    if (plan === undefined || this.#scaler === null) return
    if (load.served > 0 || load.waiting > 0 || load.busy > 0) this.#activeAt = this.#now()
    this.#cycle = add(this.#cycle, load)
    const isIdle = this.#now() - this.#activeAt >= plan.idleMs
    if (plan.min === 0 && isIdle) {
      this.#cycle = nothing
      return this.#want(0)
    }
    if (this.#wanted === 0) {
      // The request that was to wake it has been lost on its way: with a server that died, for one.
      if (load.waiting > 0) this.#want(1)
      return
    }
    if (this.#cycle.sinceMs < plan.everyMs) return
    const { sinceMs: cycleMs, ...seen } = this.#cycle
    this.#cycle = nothing
    this.#want(this.#bound(plan, { ...seen, cycleMs }))
  }

  #bound(plan: ScalePlan, load: Load): number {
    const active = this.#wanted
    const decided = this.#scaler?.decide(load, active) ?? active
    const bounded = Math.min(this.#most, Math.max(1, plan.min, decided))
    if (plan.memory === 0 || bounded < active || active <= Math.max(1, plan.min)) return bounded
    // Above the ceiling one goes at a time; no more come than have room beside those that are there.
    const used = this.#memory()
    if (used >= plan.memory) return active - 1
    const room = used === 0 ? bounded : Math.floor((plan.memory - used) / (used / load.workers))
    return Math.min(bounded, Math.max(active, active + room))
  }

  #want(wanted: number): void {
    if (wanted === this.#wanted) return
    this.#wanted = wanted
    this.#changed()
  }
}

/** Both, one after the other: counts add up, and what is now is the last that was seen. */
function add(one: AppLoad, other: AppLoad): AppLoad {
  return {
    ...other,
    served: one.served + other.served,
    workMs: one.workMs + other.workMs,
    delayMs: Math.max(one.delayMs, other.delayMs),
    sinceMs: one.sinceMs + other.sinceMs,
  }
}
