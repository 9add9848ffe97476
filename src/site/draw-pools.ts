/** `pools:`, and the addresses inside `proxy:`, → the Plan's pools. */
import { parseTarget } from './address.ts'
import { resolveSocket } from './draw-listeners.ts'
import type { Drawing } from './drawing.ts'
import type { PoolPlan, TargetPlan } from './plan.ts'
import { type KeyPath, quote } from './problem.ts'
import { anonymousPool, type PoolSettings } from './settings.ts'

export class Pools {
  readonly #drawing: Drawing
  readonly #plans = new Map<string, PoolPlan>()
  readonly #used = new Set<string>()

  constructor(drawing: Drawing) {
    this.#drawing = drawing
    for (const [name, settings] of Object.entries(drawing.settings.pools)) {
      const path = ['pools', name, 'servers']
      this.#plans.set(
        name,
        drawPool(drawing, name, settings, (index) => [...path, index]),
      )
    }
  }

  use(name: string): void {
    this.#used.add(name)
  }

  /** The name of the pool that these addresses make; the same ones make one pool. */
  anonymous(addresses: readonly string[], pathOf: (index: number) => KeyPath): string {
    const name = addresses.join(', ')
    const plan = drawPool(this.#drawing, name, anonymousPool(addresses), pathOf)
    this.#plans.set(name, plan)
    this.use(name)
    return name
  }

  /** Every pool; one that no route leads to is worth a warning. */
  finish(): Record<string, PoolPlan> {
    for (const name of this.#plans.keys()) {
      if (this.#used.has(name)) continue
      const path = ['pools', name]
      this.#drawing.report.warning(path, `no route leads to the pool ${quote(name)}`, { key: true })
    }
    return Object.fromEntries(this.#plans)
  }
}

function drawPool(
  drawing: Drawing,
  name: string,
  settings: PoolSettings,
  pathOf: (index: number) => KeyPath,
): PoolPlan {
  const servers: TargetPlan[] = []
  for (const [index, server] of settings.servers.entries()) {
    const { to, weight } = typeof server === 'string' ? { to: server, weight: 1 } : server
    const path = typeof server === 'string' ? pathOf(index) : [...pathOf(index), 'to']
    const parsed = parseTarget(to)
    if ('wrong' in parsed) {
      drawing.report.problem(path, parsed.wrong, { expected: parsed.expected })
      continue
    }
    const address = resolveSocket(drawing, path, parsed.address)
    servers.push({ name: to, scheme: 'http', address, weight })
  }
  return {
    name,
    schedule: settings.schedule,
    servers,
    connectTimeoutMs: settings['connect-timeout'],
    responseTimeoutMs: settings['response-timeout'],
    keepAlive: settings['keep-alive'],
    keepAliveMs: settings['keep-alive-timeout'],
    preserveHost: settings['preserve-host'],
  }
}
