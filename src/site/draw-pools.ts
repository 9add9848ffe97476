/** `pools:`, and the addresses inside `proxy:`, → the Plan's pools. */
import { parseTarget } from './address.ts'
import { Checks } from './draw-check.ts'
import { resolveSocket } from './draw-listeners.ts'
import { drawPersistence } from './draw-persistence.ts'
import { drawPoolTls, preservesHost } from './draw-pool-tls.ts'
import { drawResilience, judgeWithoutRequests } from './draw-resilience.ts'
import { drawSchedule } from './draw-schedule.ts'
import { type Drawing, textAsWritten } from './drawing.ts'
import { isPlain, judgeStreamPool } from './judge-stream-pool.ts'
import type { PoolPlan, TargetPlan } from './plan.ts'
import { type KeyPath, quote } from './problem.ts'
import { anonymousPool, type PoolSettings, poolType } from './settings/pools.ts'
import { nodeAt } from './tree.ts'

export class Pools {
  readonly #drawing: Drawing
  readonly #plans = new Map<string, PoolPlan>()
  readonly #used = new Set<string>()
  /** Used by listeners without HTTP. */
  readonly #streams = new Set<string>()

  constructor(drawing: Drawing) {
    this.#drawing = drawing
    for (const [name, settings] of Object.entries(drawing.settings.pools)) {
      const path = ['pools', name]
      this.#plans.set(
        name,
        drawPool(drawing, name, settings, path, (index) => [...path, 'servers', index]),
      )
    }
  }

  use(name: string): void {
    this.#used.add(name)
  }

  /**
   * The name of the pool that these addresses make; the same ones make one pool, unless servers are
   * told different things.
   */
  anonymous(
    addresses: readonly string[],
    more: Parameters<typeof anonymousPool>[1],
    base: KeyPath,
    pathOf: (index: number) => KeyPath,
  ): string {
    const plain = addresses.join(', ')
    const plan = drawPool(this.#drawing, plain, anonymousPool(addresses, more), base, pathOf)
    let name = plain
    for (let n = 2; ; n++) {
      const before = this.#plans.get(name)
      const same =
        before === undefined || JSON.stringify(before.variables) === JSON.stringify(plan.variables)
      if (same) break
      name = `${plain} #${n}`
    }
    this.#plans.set(name, { ...plan, name })
    this.use(name)
    return name
  }

  /** A listener sends connections, or datagrams, to the pool `name`. */
  useForStream(name: string, speaks: 'tcp' | 'udp', path: KeyPath): string {
    const plan = this.#plans.get(name)
    if (plan !== undefined) judgeStreamPool(this.#drawing, path, plan, speaks)
    this.#streams.add(name)
    return name
  }

  /** The same to an address. */
  forStream(address: string, speaks: 'tcp' | 'udp', path: KeyPath): string {
    const settings = poolType().parse({ servers: [address] })
    const plan = drawPool(this.#drawing, address, settings, path, () => path)
    if (!this.#plans.has(address)) this.#plans.set(address, plan)
    return this.useForStream(address, speaks, path)
  }

  /** Every pool; one that no route leads to is worth a warning. */
  finish(): Record<string, PoolPlan> {
    for (const name of this.#plans.keys()) {
      if (this.#used.has(name)) this.#judgeRouted(name)
      const path = ['pools', name]
      if (this.#streams.has(name) && !this.#used.has(name)) {
        judgeWithoutRequests(this.#drawing, path)
      }
      if (this.#used.has(name) || this.#streams.has(name)) continue
      this.#drawing.report.warning(path, `no route leads to the pool ${quote(name)}`, { key: true })
    }
    return Object.fromEntries(this.#plans)
  }

  /** Routes bring requests, which need a protocol for requests. */
  #judgeRouted(name: string): void {
    const plain = this.#plans.get(name)?.servers.find(isPlain)
    if (plain === undefined) return
    const message = `a route leads to the pool ${quote(name)}, whose server ${quote(plain.name)} takes no requests`
    this.#drawing.report.problem(['pools', name], message, {
      expected: 'http://, or a listener tcp:// or udp:// in place of the route',
      key: true,
    })
  }
}

/** What a server is that is only an address. */
const PLAIN_SERVER = { weight: 1, backup: false, down: false }

function drawPool(
  drawing: Drawing,
  name: string,
  settings: PoolSettings,
  base: KeyPath,
  pathOf: (index: number) => KeyPath,
): PoolPlan {
  const servers: TargetPlan[] = []
  /** Where those were written that are in order. */
  const indexes: number[] = []
  for (const [index, server] of settings.servers.entries()) {
    const isAddress = typeof server === 'string'
    const { to, weight, backup, down } = isAddress ? { ...PLAIN_SERVER, to: server } : server
    const path = isAddress ? pathOf(index) : [...pathOf(index), 'to']
    const parsed = parseTarget(to)
    if ('wrong' in parsed) {
      drawing.report.problem(path, parsed.wrong, { expected: parsed.expected })
      continue
    }
    const address = resolveSocket(drawing, path, parsed.address)
    const maxConnections = isAddress ? 0 : server['max-connections']
    const { scheme } = parsed
    indexes.push(index)
    servers.push({ name: to, scheme, address, weight, backup, down, maxConnections })
  }
  // A FastCGI server has a worker wait on every connection that is kept, whoever else waits for one.
  const holdsWorkers = servers.some(({ scheme }) => scheme === 'fastcgi')
  const asked = (key: string): boolean => nodeAt(drawing.root, [...base, key]) !== undefined
  const preserveHost = asked('preserve-host') ? settings['preserve-host'] : preservesHost(servers)
  const tls = drawPoolTls(drawing, [...base, 'tls'], settings.tls, preserveHost, servers)
  const proxyProtocol = settings['proxy-protocol']
  const persistence = drawPersistence(drawing, [...base, 'persistence'], settings.persistence)
  const checks = new Checks(drawing, name, [...base, 'check'], settings.check)
  const { hooks } = checks
  const ways = { tls, proxyProtocol: proxyProtocol === 'off' ? undefined : proxyProtocol }
  const schedule = drawSchedule(drawing, [...base, 'schedule'], settings.schedule, servers)
  const resilience = drawResilience(drawing, base, settings, { schedule, servers })
  return {
    name,
    schedule,
    servers: servers.map((target, at) => {
      const server = settings.servers[indexes[at]!]!
      const own = typeof server === 'string' ? undefined : server.check
      const check = checks.of(target, ways, [...pathOf(indexes[at]!), 'check'], own)
      return check === undefined ? target : { ...target, check }
    }),
    connectTimeoutMs: settings['connect-timeout'],
    responseTimeoutMs: settings['response-timeout'],
    keepAlive: holdsWorkers && !asked('keep-alive') ? 0 : settings['keep-alive'],
    keepAliveMs: settings['keep-alive-timeout'],
    preserveHost,
    variables: {
      root: settings.root,
      index: settings.index,
      script: settings.script,
      params: textAsWritten(drawing, [...base, 'params'], settings.params),
      modifier1: settings.modifier1,
    },
    ...(tls === undefined ? {} : { tls }),
    ...(persistence === undefined ? {} : { persistence }),
    ...(proxyProtocol === 'off' ? {} : { proxyProtocol }),
    ...(resilience === undefined ? {} : { resilience }),
    ...(hooks === undefined ? {} : { hooks }),
  }
}
