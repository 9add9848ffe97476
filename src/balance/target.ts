/** One backend of a pool: what this thread knows of its state, and what all threads know together. */
import type { PorticoError } from '../errors.ts'
import { clock } from '../request/clock.ts'
import type { Backend } from '../schedulers/scheduler.ts'
import type { TargetPlan } from '../site/plan.ts'
import type { BreakerPlan } from '../site/resilience-plan.ts'
import type { Transport } from '../transports/transport.ts'
import { BREAKER_CELLS, Breaker, type Consent } from './breaker.ts'
import {
  ACTIVE,
  ADMIN,
  BREAKER,
  LATENCY,
  orders,
  SLOW_START,
  VERDICT,
  verdicts,
  WEIGHT,
} from './cells.ts'
import { LATENCY_CELLS, Latency } from './latency.ts'
import { SLOW_START_CELLS, SlowStart } from './slow-start.ts'

/** How long one that refused is asked last, ms: long enough to spare visitors a connect timeout. */
const REST_MS = 2_000
/** How often the log hears of one that cannot be connected to, ms. */
const COMPLAINT_MS = 60_000

/** What the targets of a pool have in common. */
export interface Common {
  /** Those that rest are asked, too: there is nobody else. */
  inNeed: boolean
  /** Takes a line for the log. */
  readonly complain?: ((line: string) => void) | undefined
}

/** `Carrier`: what brings it exchanges, or connections. */
export class Target<Carrier = Transport> implements Backend {
  readonly name: string
  weight: number
  readonly inactive = 0
  readonly transport: Carrier
  readonly #cells: Int32Array
  readonly #common: Common
  readonly #latency: Latency
  readonly #planned: number
  readonly #down: boolean
  readonly #most: number
  /** It could not be connected to: others are asked first until then, ms on the coarse clock. */
  #restsUntil = 0
  #quietUntil = 0
  #breaker: Breaker | null = null
  #slowStart: SlowStart | null = null
  /** What it is owed of the requests offered to it, where it takes a part. */
  #credit = 0

  /** `cells`: see PoolMemory. */
  constructor(plan: TargetPlan, transport: Carrier, cells: Int32Array, common: Common) {
    this.name = plan.name
    this.weight = plan.weight
    this.#planned = plan.weight
    this.transport = transport
    this.#down = plan.down
    this.#most = plan.maxConnections
    this.#cells = cells
    this.#common = common
    this.#latency = new Latency(cells.subarray(LATENCY, LATENCY + LATENCY_CELLS))
  }

  /** Hot: asked for each target, again and again. */
  get ready(): boolean {
    return Atomics.load(this.#cells, ADMIN) === orders.ready && this.readyForOwn
  }

  /** Whether it takes visitors that belong to it: also while it is drained. */
  get readyForOwn(): boolean {
    const cells = this.#cells
    if (this.#down || (this.rests && !this.#common.inNeed)) return false
    if (Atomics.load(cells, VERDICT) === verdicts.down) return false
    if (Atomics.load(cells, ADMIN) === orders.maint) return false
    return this.#most === 0 || this.active < this.#most
  }

  /** In maintenance: it has no visitors of its own any more. */
  get gaveUp(): boolean {
    return this.#down || Atomics.load(this.#cells, ADMIN) === orders.maint
  }

  /** The part of the requests offered to it that it takes, from 0 to 1. */
  get share(): number {
    return this.#slowStart === null ? 1 : this.#slowStart.share
  }

  /** Whether it takes what it is offered: of a hundred as many as its share says, evenly. */
  accepts(): boolean {
    const { share } = this
    if (share >= 1) return true
    this.#credit += share
    if (this.#credit < 1) return false
    this.#credit -= 1
    return true
  }

  /** Takes over the weight that its check has found. */
  weigh(): void {
    const told = Atomics.load(this.#cells, WEIGHT)
    this.weight = told === 0 ? this.#planned : told - 1
  }

  get active(): number {
    return Atomics.load(this.#cells, ACTIVE)
  }

  get latencyMs(): number {
    return this.#latency.average(performance.now())
  }

  /** Another exchange is in hand; false: another thread took the last place meanwhile. */
  take(): boolean {
    const before = Atomics.add(this.#cells, ACTIVE, 1)
    if (this.#most === 0 || before < this.#most) return true
    Atomics.sub(this.#cells, ACTIVE, 1)
    return false
  }

  release(): void {
    Atomics.sub(this.#cells, ACTIVE, 1)
  }

  /** It could not be connected to. */
  rest(why?: PorticoError): void {
    const { now } = clock
    this.#restsUntil = now + REST_MS
    // What TLS has to say, its opener has said.
    if (why === undefined || why.code === 'BACKEND_TLS' || now < this.#quietUntil) return
    this.#quietUntil = now + COMPLAINT_MS
    this.#common.complain?.(why.message)
  }

  /** Asked only in need: it could not be connected to, or has failed too often. */
  get rests(): boolean {
    return this.#restsUntil > clock.now || this.#breaker?.open === true
  }

  /** It takes so many at once; 0: as many as come. */
  get most(): number {
    return this.#most
  }

  /** Whatever it has in hand, it may be asked. */
  get able(): boolean {
    const cells = this.#cells
    if (this.#down || this.weight === 0 || this.rests) return false
    if (Atomics.load(cells, VERDICT) === verdicts.down) return false
    return Atomics.load(cells, ADMIN) === orders.ready
  }

  /** Failures are counted from now on, of all threads; `consent`: whether it may be left out. */
  guard(plan: BreakerPlan, consent: Consent): void {
    const cells = this.#cells.subarray(BREAKER, BREAKER + BREAKER_CELLS)
    this.#breaker = new Breaker(cells, plan, consent)
  }

  get breaker(): Breaker | null {
    return this.#breaker
  }

  /** It takes a growing part for so long after it has come back, ms. */
  startSlowly(ms: number): void {
    const cells = this.#cells.subarray(SLOW_START, SLOW_START + SLOW_START_CELLS)
    this.#slowStart = new SlowStart(cells, ms)
  }

  /** It is back. */
  comesBack(): void {
    this.#slowStart?.begin(performance.now())
  }

  learn(ms: number, nowMs: number): void {
    this.#latency.learn(ms, nowMs)
  }
}
