/**
 * All servers under watch of a server process, in one place: its threads read the verdicts in shared
 * memory. So many are asked at a time, and the first questions are spread.
 */
import { createCheck } from '../checks/create.ts'
import type { PoolPlan, TargetPlan } from '../site/plan.ts'
import { NO_FILES, type PoolFiles } from '../transports/backend/tls.ts'
import { ACTIVE, ADMIN, type Order, orders, type SharedCells, SLOW_START } from './cells.ts'
import {
  type HealthBefore,
  type HealthReport,
  keyOf,
  type PoolStatuses,
  type ServerHealth,
} from './health-report.ts'
import { Watch } from './health-watch.ts'
import { PoolMemory } from './pool-memory.ts'
import { SLOW_START_CELLS, SlowStart } from './slow-start.ts'

/** Questions under way at a time: each is a connection or a program. */
const MOST_AT_ONCE = 64
/** The first ones come within this time, ms. */
const SPREAD_MS = 1_000

interface Member {
  readonly pool: PoolPlan
  readonly target: TargetPlan
  readonly cells: SharedCells
  readonly watch: Watch | null
  readonly slowStart: SlowStart | null
}

export interface HealthOptions {
  readonly pools: readonly PoolPlan[]
  /** See PoolMemory. */
  readonly memory: Readonly<Record<string, SharedArrayBuffer>>
  /** Of pools whose TLS names any. */
  readonly files: Readonly<Record<string, PoolFiles>>
  readonly before: HealthBefore
  /** Whom the site runs as. */
  readonly user: string
  readonly tell: (report: HealthReport) => void
  readonly complain: (message: string) => void
}

export class HealthChecks {
  readonly #options: HealthOptions
  readonly #members: Member[] = []
  #free = MOST_AT_ONCE
  readonly #waiting: (() => void)[] = []

  constructor(options: HealthOptions) {
    this.#options = options
    for (const pool of options.pools) {
      const memory = new PoolMemory(pool, options.memory[pool.name]!)
      for (const [index, target] of pool.servers.entries()) {
        const cells = memory.target(index)
        const order = options.before.orders[keyOf(pool.name, target.name)] ?? 'ready'
        Atomics.store(cells, ADMIN, orders[order])
        const slowMs = pool.resilience?.slowStartMs ?? 0
        const since = cells.subarray(SLOW_START, SLOW_START + SLOW_START_CELLS)
        const slowStart = slowMs === 0 ? null : new SlowStart(since, slowMs)
        const watch = this.#watch(pool, target, cells, memory.weighings, slowStart)
        this.#members.push({ pool, target, cells, watch, slowStart })
      }
    }
  }

  #watch(
    pool: PoolPlan,
    target: TargetPlan,
    cells: SharedCells,
    weighings: SharedCells,
    slowStart: SlowStart | null,
  ): Watch | null {
    const { before, user, files, tell, complain } = this.#options
    const plan = target.check
    if (plan === undefined || target.down) return null
    try {
      const check = createCheck(plan.probe, user, files[pool.name] ?? NO_FILES)
      return new Watch({
        check,
        plan,
        cells,
        weighings,
        before: before.findings[keyOf(pool.name, target.name)] ?? null,
        place: () => this.#place(),
        changed: (watch, was) => {
          const { verdict, since, why, weight, answers, tookMs } = watch
          if (verdict === 'up' && was === 'down') slowStart?.begin(performance.now())
          tell({
            pool: pool.name,
            server: target.name,
            check: plan.name,
            ...{ verdict, since, why, weight, answers, tookMs },
          })
        },
      })
    } catch (error) {
      complain(`pool ${pool.name}: ${target.name} is not checked: ${(error as Error).message}`)
      return null
    }
  }

  start(): void {
    const watches = this.#members.filter(({ cells }) => Atomics.load(cells, ADMIN) !== orders.maint)
    for (const [i, { watch }] of watches.entries()) {
      if (watch === null) continue
      const spread = Math.min(SPREAD_MS, watch.plan.everyMs / 2)
      watch.start((spread * i) / watches.length)
    }
  }

  /** The next generation asks from now on. */
  stop(): void {
    for (const { watch } of this.#members) watch?.stop()
  }

  order(pool: string, server: string, order: Order): void {
    for (const { cells, watch, slowStart, ...member } of this.#members) {
      if (member.pool.name !== pool || member.target.name !== server) continue
      const before = Atomics.exchange(cells, ADMIN, orders[order])
      if (order === 'maint') watch?.stop()
      else if (before === orders.maint) {
        watch?.doubt()
        watch?.start(0)
      }
      if (order === 'ready' && before !== orders.ready) slowStart?.begin(performance.now())
    }
  }

  get status(): PoolStatuses {
    const found: Record<string, { servers: ServerHealth[] }> = {}
    for (const { pool, target, cells, watch } of this.#members) {
      found[pool.name] ??= { servers: [] }
      const weight = watch?.weight ?? -1
      found[pool.name]!.servers.push({
        server: target.name,
        order: orderOf(cells),
        backup: target.backup,
        out: target.down,
        weight,
        effective: weight < 0 ? target.weight : weight,
        active: Atomics.load(cells, ACTIVE),
        verdict: watch?.verdict ?? 'none',
        since: watch?.since ?? 0,
        why: watch?.why ?? '',
        check: watch?.plan.name ?? '',
        checks: watch?.checks ?? 0,
        failures: watch?.failures ?? 0,
        lastMs: watch?.lastMs ?? 0,
      })
    }
    return found
  }

  async #place(): Promise<() => void> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    else this.#free--
    return () => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}

function orderOf(cells: SharedCells): Order {
  const told = Atomics.load(cells, ADMIN)
  return told === orders.maint ? 'maint' : told === orders.drain ? 'drain' : 'ready'
}
