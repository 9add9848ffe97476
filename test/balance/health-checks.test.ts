/** Servers under watch: real sockets, real programs, the shared memory that threads read. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPlain } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ADMIN, orders, SLOW_START, VERDICT, verdicts } from '../../src/balance/cells.ts'
import { HealthChecks } from '../../src/balance/health-checks.ts'
import {
  type HealthBefore,
  type HealthReport,
  keyOf,
  nothingBefore,
} from '../../src/balance/health-report.ts'
import { Watch } from '../../src/balance/health-watch.ts'
import { createMembers } from '../../src/balance/members.ts'
import { PoolMemory } from '../../src/balance/pool-memory.ts'
import type { CheckPlan, ProbePlan } from '../../src/site/check-plan.ts'
import type { PoolPlan, TargetPlan } from '../../src/site/plan.ts'
import { closedPort, until } from '../transports/backends.ts'
import { Authority } from '../transports/certificates.ts'
import { poolPlan, target } from '../transports/front.ts'

const connects: ProbePlan = { kind: 'tcp', send: '', expect: '' }
const QUICK = {
  everyMs: 50,
  fastMs: 10,
  downMs: 20,
  jitter: 0,
  timeoutMs: 100,
  rise: 2,
  fall: 2,
  start: 'up',
} as const

function checked(port: number, more: Partial<CheckPlan> = {}, weight = 1): TargetPlan {
  const plain = target(port, weight)
  return {
    ...plain,
    check: { name: 'test', address: plain.address, probe: connects, ...QUICK, ...more },
  }
}

let folder: string
const open: (() => void)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-health-'))
})
afterEach(() => {
  for (const close of open.splice(0)) close()
  rmSync(folder, { recursive: true, force: true })
})

/** A server that takes connections, and says nothing. */
class Listener {
  readonly sockets = new Set<Socket>()
  most = 0
  asked = 0
  readonly #server: Server
  port = 0

  constructor() {
    this.#server = createServer((socket) => {
      this.asked++
      this.sockets.add(socket)
      this.most = Math.max(this.most, this.sockets.size)
      socket.on('error', () => {})
      socket.on('close', () => this.sockets.delete(socket))
      socket.resume()
    })
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.port, '127.0.0.1', resolve))
    this.port = (this.#server.address() as { port: number }).port
    open.push(() => this.stop())
    return this
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy()
    this.#server.close()
  }
}

interface Under {
  readonly health: HealthChecks
  readonly memory: PoolMemory
  readonly shared: SharedArrayBuffer
  readonly told: HealthReport[]
  readonly plan: PoolPlan
}

function watch(
  servers: readonly TargetPlan[],
  before: HealthBefore = nothingBefore,
  more: Partial<PoolPlan> = {},
): Under {
  const plan = poolPlan(servers, more)
  const shared = PoolMemory.allocate(plan)
  const told: HealthReport[] = []
  const health = new HealthChecks({
    pools: [plan],
    memory: { [plan.name]: shared },
    files: {},
    before,
    user: '',
    tell: (report) => told.push(report),
    complain: (message) => {
      throw new Error(message)
    },
  })
  open.push(() => health.stop())
  return { health, memory: new PoolMemory(plan, shared), shared, told, plan }
}

const verdictOf = ({ memory }: Under, index = 0): number =>
  Atomics.load(memory.target(index), VERDICT)

describe('checks', () => {
  it('say once when a server goes and comes, and write what threads read', async () => {
    const listener = await new Listener().start()
    const under = watch([checked(listener.port)])
    under.health.start()
    await until(() => verdictOf(under) === verdicts.up)
    listener.stop()
    await until(() => verdictOf(under) === verdicts.down)
    await listener.start()
    await until(() => verdictOf(under) === verdicts.up)
    expect(under.told.map(({ verdict, why, answers }) => [verdict, why, answers])).toEqual([
      ['up', '', 1],
      ['down', 'connection refused', 2],
      ['up', '', 2],
    ])
    const [server] = under.health.status.backend!.servers
    expect(server).toMatchObject({ verdict: 'up', why: '', check: 'test', weight: -1 })
  })

  it('tell of a server that is down what is in its way now', async () => {
    const path = join(folder, 'state')
    const probe = { kind: 'file', path, dynamic: false } as const
    const under = watch([checked(1, { probe })])
    const why = (): string => under.health.status.backend!.servers[0]!.why
    under.health.start()
    await until(() => why() === 'no such file')
    writeFileSync(path, '4')
    await until(() => why().endsWith('says 4'))
    expect(under.told).toHaveLength(1)
  })

  it.each([
    ['of nobody', 'signed by a CA that is not trusted: name its PEM file in tls: { ca: … }'],
    ['that is none', 'does not speak TLS there: http:// in place of https://'],
  ])('say what to do about a certificate %s', async (which, words) => {
    using ca = new Authority()
    const { certificate, key } = ca.issue(['IP:127.0.0.1'])
    const files = { cert: readFileSync(certificate), key: readFileSync(key) }
    const answer = (): void => {}
    const server = which === 'of nobody' ? createSecure(files, answer) : createPlain(answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    open.push(() => server.close())
    const probe: ProbePlan = {
      ...{ kind: 'http', version: 1, tls: { verify: true, name: '' }, method: 'GET', path: '/' },
      ...{ host: '', fields: [], status: [200, 399], body: '', digest: '' },
    }
    const { port } = server.address() as { port: number }
    const under = watch([checked(port, { probe, timeoutMs: 5_000 })])
    under.health.start()
    await until(() => under.told.length === 1, 5_000)
    expect(under.told[0]!.why).toContain(words)
  })

  it('are heard of by every thread within 10 ms', async () => {
    const listener = await new Listener().start()
    const under = watch([checked(listener.port)])
    under.health.start()
    await until(() => verdictOf(under) === verdicts.up)
    /** When the threads have seen each verdict, ms since 1970. */
    const seen: { verdict: number; at: number }[] = []
    const threads = [0, 1].map(
      () =>
        new Worker(
          `const { workerData, parentPort } = require('node:worker_threads')
           const cells = new Int32Array(workerData.shared)
           let last = Atomics.load(cells, workerData.at)
           parentPort.postMessage(null)
           setInterval(() => {
             const verdict = Atomics.load(cells, workerData.at)
             if (verdict === last) return
             last = verdict
             parentPort.postMessage({ verdict, at: performance.timeOrigin + performance.now() })
           }, 1)`,
          {
            eval: true,
            workerData: {
              shared: under.shared,
              at: under.memory.target(0).byteOffset / 4 + VERDICT,
            },
          },
        ),
    )
    let ready = 0
    for (const thread of threads) {
      open.push(() => void thread.terminate())
      thread.on('message', (news) => (news === null ? ready++ : seen.push(news)))
    }
    await until(() => ready === 2)
    const late: number[] = []
    for (let round = 1; round <= 6; round++) {
      if (round % 2 === 1) listener.stop()
      else await listener.start()
      await until(() => seen.length === 2 * round)
      const told = under.told.at(-1)!.since
      late.push(Math.max(...seen.slice(-2).map(({ at }) => at - told)))
    }
    // A busy machine wakes a thread late now and then: the verdict was there.
    expect(late.sort((a, b) => a - b)[2]).toBeLessThan(10)
  })

  it('find out a frozen peer within every + timeout + (fall - 1) × (fast + timeout)', async () => {
    const listener = await new Listener().start()
    const silent = { probe: { kind: 'tcp', send: '', expect: 'hello' }, timeoutMs: 60 } as const
    const under = watch([
      checked(listener.port, silent),
      checked(listener.port, { ...silent, fall: 5, start: 'down' }),
    ])
    const began = performance.now()
    under.health.start()
    await until(() => under.told.length === 2)
    // The first answer decides; both had one.
    expect(performance.now() - began).toBeLessThan(50 + 60 + 150)
    expect(under.told.map(({ why }) => why)).toEqual(new Array(2).fill('no answer within 60 ms'))
  })

  it('ask no more than 64 at a time', async () => {
    const listener = await new Listener().start()
    const silent = { probe: { kind: 'tcp', send: '', expect: 'hello' }, timeoutMs: 500 } as const
    const under = watch(Array.from({ length: 150 }, () => checked(listener.port, silent)))
    under.health.start()
    await until(() => under.told.length === 150, 20_000)
    expect(listener.most).toBeGreaterThan(30)
    // It hears of ends a little late.
    expect(listener.most).toBeLessThan(80)
    under.health.stop()
    await until(() => listener.sockets.size === 0)
    const { asked } = listener
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(listener.asked).toBe(asked)
  })

  it('leave a question alone that does not come to an end, and say so', async () => {
    const cells = new Int32Array(new SharedArrayBuffer(64))
    let asked = 0
    const one = new Watch({
      check: {
        name: 'hung',
        probe: () => {
          asked++
          return new Promise(() => {})
        },
      },
      plan: checked(1, { timeoutMs: 20 }).check!,
      cells,
      weighings: cells,
      before: null,
      place: async () => () => {},
      changed: () => {},
    })
    one.start(0)
    open.push(() => one.stop())
    await until(() => one.checks >= 4)
    expect(asked).toBe(1)
    expect(one.verdict).toBe('down')
  })
})

describe('what was found out before', () => {
  const down = { verdict: 'down', since: 1_000, why: 'gone', weight: -1 } as const

  it('holds until there are enough answers against it', async () => {
    const listener = await new Listener().start()
    const server = checked(listener.port, { rise: 3 })
    const key = keyOf('backend', server.name)
    const under = watch([server], { findings: { [key]: { ...down, same: true } }, orders: {} })
    expect(verdictOf(under)).toBe(verdicts.down)
    expect(under.health.status.backend!.servers[0]).toMatchObject({ since: 1_000, why: 'gone' })
    under.health.start()
    await until(() => under.told.length === 1)
    expect(under.told[0]).toMatchObject({ verdict: 'up', answers: 3 })
    expect(listener.asked).toBeGreaterThanOrEqual(3)
  })

  it('by another check holds until the first answer of this one', async () => {
    const listener = await new Listener().start()
    const server = checked(listener.port, { rise: 100 })
    const key = keyOf('backend', server.name)
    const under = watch([server], { findings: { [key]: { ...down, same: false } }, orders: {} })
    expect(verdictOf(under)).toBe(verdicts.down)
    under.health.start()
    await until(() => verdictOf(under) === verdicts.up)
  })

  it('is nothing: then a server is up or down, as the site file says', async () => {
    const port = await closedPort()
    const under = watch([checked(port), checked(port, { start: 'down' })])
    expect([verdictOf(under, 0), verdictOf(under, 1)]).toEqual([verdicts.none, verdicts.down])
  })
})

describe('orders', () => {
  it('are obeyed at once; who is in maintenance is not asked', async () => {
    const listener = await new Listener().start()
    const server = checked(listener.port)
    const key = keyOf('backend', server.name)
    const under = watch([server], { findings: {}, orders: { [key]: 'maint' } })
    under.health.start()
    expect(Atomics.load(under.memory.target(0), ADMIN)).toBe(orders.maint)
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(listener.asked).toBe(0)
    under.health.order('backend', server.name, 'drain')
    expect(Atomics.load(under.memory.target(0), ADMIN)).toBe(orders.drain)
    await until(() => verdictOf(under) === verdicts.up)
    under.health.order('backend', server.name, 'maint')
    await until(() => listener.sockets.size === 0)
    const { asked } = listener
    listener.stop()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect([listener.asked, verdictOf(under)]).toEqual([asked, verdicts.up])
    // What has become of it is told by the first answer, not by the second.
    under.health.order('backend', server.name, 'ready')
    await until(() => verdictOf(under) === verdicts.down)
    expect(under.told.at(-1)).toMatchObject({ verdict: 'down', answers: 1 })
  })
})

describe('a server that comes back', () => {
  it('starts slowly where it is told to, and one that was always there does not', async () => {
    const listener = await new Listener().start()
    const resilience = {
      retry: null,
      passive: null,
      breaker: null,
      queue: null,
      slowStartMs: 60_000,
      hedge: null,
      sorry: null,
    }
    const under = watch([checked(listener.port, { rise: 1 })], nothingBefore, { resilience })
    const since = (): number => Atomics.load(under.memory.target(0), SLOW_START)
    under.health.start()
    await until(() => verdictOf(under) === verdicts.up)
    expect(since()).toBe(0)
    listener.stop()
    await until(() => verdictOf(under) === verdicts.down)
    await listener.start()
    await until(() => verdictOf(under) === verdicts.up)
    expect(since()).not.toBe(0)
  })
})

describe('a script that says what a server weighs', () => {
  it('is heard by schedulers, which get another list', async () => {
    const code = join(folder, 'code')
    const script = join(folder, 'weigh')
    writeFileSync(code, '12')
    writeFileSync(script, `#!/bin/sh\nexit $(cat ${code})\n`, { mode: 0o755 })
    // Programs are nobody's: it has to be able to come here.
    chmodSync(folder, 0o755)
    const probe = { kind: 'script', argv: [script], folder, dynamic: true, env: [] } as const
    const plain = target(1, 5)
    const under = watch([checked(1, { probe, timeoutMs: 5_000 }, 3), plain])
    const members = createMembers(under.plan, { memory: under.shared }, () => ({}) as never)
    const [tier] = members.tiers
    const first = tier!.targets
    const weights = (): number[] => tier!.targets.map(({ weight }) => weight)
    expect(weights()).toEqual([3, 5])
    expect(tier!.targets).toBe(first)
    under.health.start()
    await until(() => weights()[0] === 10)
    expect(weights()).toEqual([10, 5])
    expect(tier!.targets).not.toBe(first)
    expect(under.health.status.backend!.servers[0]).toMatchObject({ weight: 10, effective: 10 })
    writeFileSync(code, '255')
    await until(() => weights()[0] === 253)
    writeFileSync(code, '2')
    await until(() => weights()[0] === 0)
    // As well as ever, with its own weight.
    writeFileSync(code, '0')
    await until(() => weights()[0] === 3)
    // 127 is how a shell says that there is no such program.
    for (const bad of ['1', '127']) {
      writeFileSync(code, bad)
      await until(() => verdictOf(under) === verdicts.down)
      expect(under.told.at(-1)).toMatchObject({ why: `exit code ${bad}` })
      writeFileSync(code, '0')
      await until(() => verdictOf(under) === verdicts.up)
    }
  })
})
