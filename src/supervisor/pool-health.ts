/**
 * What the supervisor knows of the servers of pools: what checks have found out, and what administrators
 * have ordered. Both outlive server processes and reloads.
 */
import type { Order } from '../balance/cells.ts'
import {
  type Finding,
  type HealthBefore,
  type HealthReport,
  keyOf,
} from '../balance/health-report.ts'
import { nearest } from '../site/nearest.ts'
import type { PoolPlan, SitePlan, TargetPlan } from '../site/plan.ts'
import type { Logger } from './logger.ts'
import type { PoolHooks } from './pool-hooks.ts'

interface Known extends Finding {
  /** By which check: what it asks, and whom. */
  readonly by: string
}

/** What came of an order. */
export interface Ordered {
  /** As the site file has it; '' where nothing was done. */
  readonly server: string
  /** What was done, or why nothing, for people. */
  readonly message: string
}

type Pools = Pick<SitePlan, 'pools'>

export class PoolHealth {
  readonly #logger: Logger
  readonly #hooks: PoolHooks
  readonly #known = new Map<string, Known>()
  readonly #orders = new Map<string, Order>()
  /** The generation that serves; 0 before the first. */
  #serving = 0
  /** The one that is being started, which may never come to serve, and what it has found out. */
  #next = 0
  #early: HealthReport[] = []
  /** The orders that it was given to begin with. */
  #given: ReadonlyMap<string, Order> = new Map()

  constructor(logger: Logger, hooks: PoolHooks) {
    this.#logger = logger
    this.#hooks = hooks
  }

  /** What a server process of the generation `number` begins with. */
  before(number: number, { pools }: Pools): HealthBefore {
    if (number > this.#serving) this.#given = new Map(this.#orders)
    const findings: Record<string, HealthBefore['findings'][string]> = {}
    const orders: Record<string, Order> = {}
    for (const { name, servers } of Object.values(pools)) {
      for (const target of servers) {
        const key = keyOf(name, target.name)
        const known = this.#known.get(key)
        if (known !== undefined) findings[key] = { ...known, same: known.by === checkOf(target) }
        const order = this.#orders.get(key)
        if (order !== undefined) orders[key] = order
      }
    }
    return { findings, orders }
  }

  /**
   * The generation `number` serves from now on: what it has found out counts, and what is not in its site
   * is forgotten. Returns what was ordered since it began.
   */
  serve(number: number, plan: Pools): (readonly [pool: string, server: string, order: Order])[] {
    const early = this.#next === number ? this.#early : []
    this.#serving = number
    this.#early = []
    const all = Object.values(plan.pools).flatMap(({ name, servers }) =>
      servers.map((target) => keyOf(name, target.name)),
    )
    const living = new Set(all)
    for (const map of [this.#known, this.#orders]) {
      for (const key of map.keys()) if (!living.has(key)) map.delete(key)
    }
    for (const report of early) this.found(number, report, plan)
    return [...living].flatMap((key) => {
      const order = this.#orders.get(key) ?? 'ready'
      if (order === (this.#given.get(key) ?? 'ready')) return []
      const [pool, server] = JSON.parse(key) as [string, string]
      return [[pool, server, order] as const]
    })
  }

  /** The generation `number`, whose plan this is, has found something out. */
  found(number: number, report: HealthReport, { pools }: Pools): void {
    if (number > this.#serving) {
      if (number !== this.#next) this.#early = []
      this.#next = number
      this.#early.push(report)
      return
    }
    // One that finishes what it has in hand sends nobody to anybody any more.
    if (number < this.#serving) return
    const pool = pools[report.pool]
    const target = pool?.servers.find(({ name }) => name === report.server)
    if (pool === undefined || target === undefined) return
    const key = keyOf(report.pool, report.server)
    const before = this.#known.get(key)
    const { verdict, since, why, weight } = report
    this.#known.set(key, { verdict, since, why, weight, by: checkOf(target) })
    const fields = { pool: report.pool, server: report.server }
    if (weight >= 0 && weight !== before?.weight) {
      this.#logger.info(`${title(report)} weighs ${weight} now`, fields)
    }
    // Two generations may both see it; that one is well that nobody has seen before is no news.
    if (verdict === (before?.verdict ?? 'up')) return
    const up = this.#upIn(pool)
    const all = pool.servers.length
    const how = `${report.check}, ${report.answers} ${report.answers === 1 ? 'check' : 'checks'} in ${seconds(report.tookMs)}`
    if (verdict === 'up') {
      const after = before === undefined ? '' : ` after ${seconds(since - before.since)}`
      this.#logger.info(
        `${title(report)} is up again${after} (${how}); ${up} of ${all} are up`,
        fields,
      )
    } else {
      this.#logger.warn(`${title(report)} is down: ${why} (${how}); ${up} of ${all} are up`, fields)
      if (up === 0)
        this.#logger.error(`pool ${report.pool}: no server is left`, { pool: report.pool })
    }
    if (pool.hooks !== undefined && verdict !== 'none') {
      this.#hooks.run(pool.hooks, { ...report, verdict }, up, all)
    }
  }

  /** `server`: as in the site file, or without its scheme where that is one alone. */
  order({ pools }: Pools, pool: string, server: string, order: Order): Ordered {
    const plan = pools[pool]
    if (plan === undefined) return refusal('pool', pool, Object.keys(pools))
    const names = plan.servers.map(({ name }) => name)
    const exact = names.includes(server)
    const meant = names.filter((name) => bare(name) === bare(server))
    if (!exact && meant.length !== 1) return refusal(`server of ${pool}`, server, names)
    const name = exact ? server : meant[0]!
    const key = keyOf(pool, name)
    const before = this.#orders.get(key) ?? 'ready'
    if (order === 'ready') this.#orders.delete(key)
    else this.#orders.set(key, order)
    const able = this.#able(plan)
    if (before === order)
      return { server: name, message: `pool ${pool}: ${name} ${SAYS[order]} already` }
    const left = `${able} of ${names.length} take requests`
    const message = `pool ${pool}: ${name} ${SAYS[order]}; ${left}`
    this.#logger.info(`${message}, by order`, { pool, server: name })
    if (able === 0) this.#logger.error(`pool ${pool}: no server is left`, { pool })
    return { server: name, message }
  }

  #upIn({ name, servers }: PoolPlan): number {
    return servers.filter(
      (target) => !target.down && this.#known.get(keyOf(name, target.name))?.verdict !== 'down',
    ).length
  }

  #able({ name, servers }: PoolPlan): number {
    return servers.filter((target) => {
      const key = keyOf(name, target.name)
      return !target.down && this.#known.get(key)?.verdict !== 'down' && !this.#orders.has(key)
    }).length
  }
}

const SAYS: Readonly<Record<Order, string>> = {
  ready: 'takes requests',
  drain: 'is being drained: only visitors that belong to it still come',
  maint: 'is in maintenance: nobody comes, and it is not checked',
}

/** What it asks, and whom: what else a check has says when. */
function checkOf({ check }: TargetPlan): string {
  return check === undefined ? '' : JSON.stringify([check.probe, check.address])
}

function refusal(what: string, name: string, known: readonly string[]): Ordered {
  const meant = nearest(name, known)
  const hint =
    meant === '' ? `; there are ${known.join(', ') || 'none'}` : `; did you mean ${meant}?`
  return { server: '', message: `there is no ${what} called ${name}${hint}` }
}

/** `http://10.0.0.1:80` is as good as `10.0.0.1:80` for who names a server. */
function bare(name: string): string {
  return name.replace(/^[a-z]+:\/\//, '')
}

function title({ pool, server }: HealthReport): string {
  return `pool ${pool}: ${server}`
}

function seconds(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`
}
