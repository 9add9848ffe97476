/** One backend of a pool: what this thread knows of its state, and what all threads know together. */
import { clock } from '../request/clock.ts'
import type { Backend } from '../schedulers/scheduler.ts'
import type { TargetPlan } from '../site/plan.ts'
import type { Transport } from '../transports/transport.ts'
import { LATENCY_CELLS, Latency } from './latency.ts'

const ACTIVE = 0
const LATENCY = 1

/** How long one that refused is asked last, ms: long enough to spare visitors a connect timeout. */
const REST_MS = 2_000

/** What the targets of a pool have in common. */
export interface Common {
  /** Those that rest are asked, too: there is nobody else. */
  inNeed: boolean
}

export class Target implements Backend {
  readonly name: string
  readonly weight: number
  readonly inactive = 0
  readonly transport: Transport
  readonly #cells: Int32Array
  readonly #common: Common
  readonly #latency: Latency
  readonly #down: boolean
  readonly #most: number
  /** It could not be connected to: others are asked first until then, ms on the coarse clock. */
  #restsUntil = 0

  /** `cells`: see PoolMemory. */
  constructor(plan: TargetPlan, transport: Transport, cells: Int32Array, common: Common) {
    this.name = plan.name
    this.weight = plan.weight
    this.transport = transport
    this.#down = plan.down
    this.#most = plan.maxConnections
    this.#cells = cells
    this.#common = common
    this.#latency = new Latency(cells.subarray(LATENCY, LATENCY + LATENCY_CELLS))
  }

  get ready(): boolean {
    if (this.#down || (this.#restsUntil > clock.now && !this.#common.inNeed)) return false
    return this.#most === 0 || this.active < this.#most
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
  rest(): void {
    this.#restsUntil = clock.now + REST_MS
  }

  learn(ms: number, nowMs: number): void {
    this.#latency.learn(ms, nowMs)
  }
}
