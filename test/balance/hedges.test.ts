/** Second requests beside late ones. */
import { afterEach, describe, expect, it } from 'vitest'
import { BUDGET_CELLS, Budget } from '../../src/balance/budget.ts'
import { Hedges } from '../../src/balance/hedges.ts'
import { QUANTILE_CELLS, Quantile } from '../../src/balance/quantile.ts'
import type { ResiliencePlan } from '../../src/site/resilience-plan.ts'
import { get, httpBackend, raw, sleep, until } from '../transports/backends.ts'
import { type Front, front, poolPlan, target } from '../transports/front.ts'
import { hedgePlan, resilience, retryPlan } from './resilience.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

interface Server {
  readonly port: number
  delayMs: number
  status: number
  /** Requests that came, that were answered, and whose connection ended before. */
  asked: number
  answered: number
  aborted: number
}

async function server(name: string, delayMs = 0): Promise<Server> {
  const own: Server = { port: 0, delayMs, status: 200, asked: 0, answered: 0, aborted: 0 }
  const { port } = keep(
    await httpBackend((_req, res) => {
      own.asked++
      const timer = setTimeout(() => {
        own.answered++
        res.writeHead(own.status).end(name)
      }, own.delayMs)
      res.on('close', () => {
        if (res.writableFinished) return
        clearTimeout(timer)
        own.aborted++
      })
    }),
  )
  return Object.assign(own, { port })
}

async function pool(
  servers: readonly Server[],
  changes: Partial<ResiliencePlan> = { hedge: hedgePlan() },
): Promise<Front> {
  const targets = servers.map(({ port }) => target(port))
  return keep(await front(poolPlan(targets, resilience(changes))))
}

describe('a late request', () => {
  it('is answered by whoever is first, and the other one is told', async () => {
    const [slow, fast] = [await server('slow', 2_000), await server('fast')]
    const { port } = await pool([slow, fast])
    for (let i = 0; i < 3; i++) {
      const since = performance.now()
      expect((await get(port, '/')).body).toBe('fast')
      expect(performance.now() - since).toBeLessThan(1_000)
    }
    await until(() => slow.aborted === slow.asked)
    expect([slow.answered, fast.aborted]).toEqual([0, 0])
  })

  it('may still be answered by the first one', async () => {
    const [late, later] = [await server('late', 120), await server('later', 2_000)]
    const { port } = await pool([late, later])
    expect((await get(port, '/')).body).toBe('late')
    await until(() => later.aborted === 1)
  })

  it('is answered by the one that does not fail', async () => {
    const [slow, failing] = [await server('slow', 200), await server('failing')]
    failing.status = 503
    const { port } = await pool([slow, failing], { hedge: hedgePlan(), retry: retryPlan() })
    const got = await get(port, '/')
    expect([got.status, got.body]).toEqual([200, 'slow'])
  })

  it('is sent once when it is no read, or has a body', async () => {
    const [slow, fast] = [await server('slow', 150), await server('fast', 150)]
    const { port } = await pool([slow, fast])
    for (const method of ['POST', 'PUT', 'DELETE']) await get(port, '/', { method })
    await get(port, '/', { headers: { 'Content-Length': '1' }, body: 'x' })
    expect(slow.asked + fast.asked).toBe(4)
  })

  it('is sent twice at most for so many of a hundred', async () => {
    const servers = [await server('a', 60), await server('b', 60)]
    const { port } = await pool(servers, { hedge: hedgePlan({ afterMs: 10, budget: 0.05 }) })
    await Promise.all(Array.from({ length: 200 }, () => get(port, '/')))
    const more = servers[0]!.asked + servers[1]!.asked - 200
    expect(more).toBeGreaterThan(5)
    expect(more).toBeLessThan(60)
  })

  it('goes with its visitor, from both', async () => {
    const servers = [await server('a', 5_000), await server('b', 5_000)]
    const { port } = await pool(servers)
    await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
      setTimeout(() => socket.resetAndDestroy(), 200)
    })
    await until(() => servers.every(({ asked, aborted }) => asked === 1 && aborted === 1))
  })
})

it('what is late is measured', async () => {
  const [one, other] = [await server('one', 2), await server('other', 2)]
  const { port } = await pool([one, other], { hedge: hedgePlan({ afterMs: null }) })
  for (let i = 0; i < 80; i++) await get(port, '/')
  const before = one.asked + other.asked
  await sleep(300)
  one.delayMs = 3_000
  const since = performance.now()
  for (let i = 0; i < 4; i++) expect((await get(port, '/')).body).toBe('other')
  expect(performance.now() - since).toBeLessThan(2_000)
  expect(one.asked + other.asked).toBeGreaterThan(before + 4)
})

it('those that are answered are not remembered until they would have been late', () => {
  const hedges = new Hedges(
    hedgePlan({ afterMs: 3_600_000 }),
    new Budget(new Int32Array(BUDGET_CELLS), 1),
    new Quantile(new Int32Array(QUANTILE_CELLS), 0.95),
  )
  const answered = { hedgeable: false, hedge: () => {} }
  const open = { hedgeable: true, hedge: () => {} }
  for (let i = 0; i < 100_000; i++) hedges.watch(i % 1_000 === 0 ? open : answered, 0)
  expect(hedges.watched).toBeGreaterThanOrEqual(100)
  expect(hedges.watched).toBeLessThan(3_000)
  hedges.close()
  expect(hedges.watched).toBe(0)
})
