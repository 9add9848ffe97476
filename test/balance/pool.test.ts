/** The walk over a pool's backends, over real sockets. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { Scheduler } from '../../src/schedulers/scheduler.ts'
import { scheduleOf } from '../../src/site/schedules.ts'
import {
  closedPort,
  get,
  httpBackend,
  raw,
  rawBackend,
  sleep,
  until,
} from '../transports/backends.ts'
import { front, poolPlan, target } from '../transports/front.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

async function named(name: string): Promise<number> {
  return keep(await httpBackend((_req, res) => res.end(name))).port
}

describe('a pool', () => {
  it('spreads requests by weight', async () => {
    const servers = [target(await named('a'), 3), target(await named('b'))]
    const { port } = keep(await front(poolPlan(servers)))
    let seen = ''
    for (let i = 0; i < 8; i++) seen += (await get(port, '/')).body
    expect(seen).toBe('aabaaaba')
  })

  it('passes over a backend that refuses, also for what is not safe to repeat', async () => {
    const servers = [target(await closedPort()), target(await named('b'))]
    const { port } = keep(await front(poolPlan(servers)))
    for (let i = 0; i < 4; i++) {
      expect(await get(port, '/', { method: 'POST', body: 'x'.repeat(100_000) })).toMatchObject({
        status: 200,
        body: 'b',
      })
    }
  })

  it('answers 502 when all refuse, 503 when there is none', async () => {
    const all = keep(
      await front(poolPlan([target(await closedPort()), target(await closedPort())])),
    )
    for (let i = 0; i < 3; i++) expect((await get(all.port, '/')).status).toBe(502)
    const none = keep(await front(poolPlan([])))
    expect((await get(none.port, '/')).status).toBe(503)
    const zero = keep(await front(poolPlan([target(await named('a'), 0)])))
    expect((await get(zero.port, '/')).status).toBe(503)
  })

  it('asks a backend that refused only after the others, for a while', async () => {
    const asked: string[] = []
    const watching: Scheduler = {
      name: 'in order',
      *order(backends) {
        for (const each of backends.filter(({ ready }) => ready)) {
          asked.push(each.name)
          yield each
        }
        return undefined
      },
    }
    const servers = [
      { ...target(await closedPort()), name: 'dead' },
      { ...target(await named('b')), name: 'live' },
    ]
    const { port } = keep(await front(poolPlan(servers), { scheduler: watching }))
    for (let i = 0; i < 3; i++) expect((await get(port, '/')).body).toBe('b')
    expect(asked).toEqual(['dead', 'live', 'live', 'live'])
    await sleep(2_400)
    expect((await get(port, '/')).body).toBe('b')
    expect(asked.slice(4)).toEqual(['dead', 'live'])
  })

  it('uses a backend again as soon as it is back, when there is no other', async () => {
    const port = await closedPort()
    const made = keep(await front(poolPlan([target(port)])))
    expect((await get(made.port, '/')).status).toBe(502)
    const server = createServer((_req, res) => res.end('back')).listen(port, '127.0.0.1')
    keep(server)
    await until(() => server.listening)
    expect((await get(made.port, '/')).body).toBe('back')
  })

  it('counts what each backend has in hand', async () => {
    let most = 0
    let last = -1
    const watching: Scheduler = {
      name: 'watching',
      *order(backends) {
        for (const each of backends) {
          last = each.active
          most = Math.max(most, last)
          yield each
        }
        return undefined
      },
    }
    const slow = keep(await httpBackend((_req, res) => setTimeout(() => res.end('x'), 30)))
    const { port } = keep(await front(poolPlan([target(slow.port)]), { scheduler: watching }))
    await Promise.all(Array.from({ length: 5 }, () => get(port, '/')))
    expect(most).toBe(4)
    await get(port, '/')
    expect(last).toBe(0)
  })

  it('asks backup servers only while no other one can answer', async () => {
    const gone = { ...target(await closedPort()), name: 'gone' }
    const spare = { ...target(await named('spare')), backup: true }
    const first = target(await named('a'))
    const { port } = keep(await front(poolPlan([spare, first])))
    for (let i = 0; i < 3; i++) expect((await get(port, '/')).body).toBe('a')
    const other = keep(await front(poolPlan([spare, gone, { ...first, down: true }])))
    for (let i = 0; i < 3; i++) expect((await get(other.port, '/')).body).toBe('spare')
    const all = keep(await front(poolPlan([gone, { ...gone, backup: true }])))
    for (let i = 0; i < 3; i++) expect((await get(all.port, '/')).status).toBe(502)
  })

  it('never asks one that is down', async () => {
    const down = { ...target(await named('a')), down: true }
    const { port } = keep(await front(poolPlan([down, target(await named('b'))])))
    for (let i = 0; i < 3; i++) expect((await get(port, '/')).body).toBe('b')
    const none = keep(await front(poolPlan([down])))
    for (let i = 0; i < 3; i++) expect((await get(none.port, '/')).status).toBe(503)
  })

  it('passes over one that has all the requests that it may have', async () => {
    const waiting: (() => void)[] = []
    const slow = keep(await httpBackend((_req, res) => waiting.push(() => res.end('slow'))))
    const servers = [
      { ...target(slow.port), maxConnections: 2 },
      { ...target(await named('b')), weight: 1 },
    ]
    const schedule = scheduleOf('first')!
    const { port } = keep(await front(poolPlan(servers, { schedule })))
    const held = [get(port, '/'), get(port, '/')]
    await until(() => waiting.length === 2)
    for (let i = 0; i < 3; i++) expect((await get(port, '/')).body).toBe('b')
    for (const answer of waiting.splice(0)) answer()
    expect((await Promise.all(held)).map(({ body }) => body)).toEqual(['slow', 'slow'])
    const again = get(port, '/')
    await until(() => waiting.length === 1)
    waiting[0]!()
    expect((await again).body).toBe('slow')
  })

  it('answers 503 when all are full, at once', async () => {
    const slow = keep(await httpBackend((_req, res) => setTimeout(() => res.end('x'), 200)))
    const servers = [{ ...target(slow.port), maxConnections: 1 }]
    const { port } = keep(await front(poolPlan(servers)))
    const statuses = await Promise.all([0, 1, 2].map(async () => (await get(port, '/')).status))
    expect(statuses.toSorted()).toEqual([200, 503, 503])
  })

  it('gives back the place of a visitor who leaves, and of one that fails', async () => {
    const quiet = keep(await rawBackend(() => {}))
    const servers = [{ ...target(quiet.port), maxConnections: 1 }]
    const { port } = keep(await front(poolPlan(servers, { responseTimeoutMs: 300 })))
    expect((await get(port, '/')).status).toBe(504)
    const leaving = raw(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
      setTimeout(() => socket.resetAndDestroy(), 100)
    })
    await leaving
    expect((await get(port, '/')).status).toBe(504)
  })

  it('finds out who is slow, and asks the others', async () => {
    const slow = keep(await httpBackend((_req, res) => setTimeout(() => res.end('slow'), 60)))
    const servers = [target(slow.port), target(await named('b')), target(await closedPort())]
    const schedule = scheduleOf('least-time')!
    const { port } = keep(await front(poolPlan(servers, { schedule })))
    const seen: string[] = []
    for (let i = 0; i < 20; i++) seen.push((await get(port, '/')).body)
    expect(seen.filter((body) => body === 'slow').length).toBe(1)
  })

  it('takes a server that fails at once for slow', async () => {
    const broken = keep(await rawBackend((socket) => socket.destroy()))
    const slow = keep(await httpBackend((_req, res) => setTimeout(() => res.end('b'), 20)))
    const schedule = scheduleOf('least-time')!
    const servers = [target(broken.port), target(slow.port)]
    const { port } = keep(await front(poolPlan(servers, { schedule })))
    let failed = 0
    for (let i = 0; i < 10; i++) if ((await get(port, '/')).status !== 200) failed++
    expect(failed).toBe(1)
  })

  it('keeps a strict hash strict', async () => {
    const servers = [target(await closedPort()), target(await named('b'))]
    const schedule = { ...scheduleOf('sh')!, fallback: false }
    const statuses = new Set<number>()
    // Which of the two 127.0.0.1 belongs to, either answers for nobody else.
    for (const list of [servers, servers.toReversed()]) {
      const { port } = keep(await front(poolPlan(list, { schedule })))
      const found = [(await get(port, '/')).status, (await get(port, '/')).status]
      expect(found[1]).toBe(found[0])
      statuses.add(found[0]!)
    }
    expect([...statuses].toSorted()).toEqual([200, 502])
  })

  it('reaches names and unix sockets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portico-pool-'))
    const path = join(folder, 'backend.sock')
    const server = keep(
      createServer((req, res) => res.end(`unix ${req.headers.host}`)).listen(path),
    )
    await until(() => server.listening)
    const { port } = keep(
      await front(poolPlan([target({ kind: 'unix', path })], { preserveHost: false })),
    )
    expect((await get(port, '/')).body).toBe('unix localhost')
    const byName = target({ kind: 'tcp', host: 'localhost', port: await named('by name') })
    const other = keep(await front(poolPlan([byName])))
    for (let i = 0; i < 3; i++) expect((await get(other.port, '/')).body).toBe('by name')
    rmSync(folder, { recursive: true })
  })

  it('answers 502 for a name that does not exist', async () => {
    const nowhere = target({ kind: 'tcp', host: 'nowhere.invalid', port: 80 })
    const { port } = keep(await front(poolPlan([nowhere])))
    expect((await get(port, '/')).status).toBeGreaterThanOrEqual(502)
  })

  it('that closes gives back its idle connections at once, the others after their answer', async () => {
    const { port, server } = keep(
      await httpBackend((req, res) => {
        if (req.url === '/slow') setTimeout(() => res.end('slow'), 100)
        else res.end('x')
      }),
    )
    let connections = 0
    server.on('connection', (socket) => {
      connections++
      socket.on('close', () => connections--)
    })
    const made = keep(await front(poolPlan([target(port)])))
    await get(made.port, '/')
    const slow = get(made.port, '/slow')
    await get(made.port, '/')
    expect(connections).toBe(2)
    made.closePool()
    await until(() => connections === 1)
    expect((await slow).body).toBe('slow')
    await until(() => connections === 0)
  })
})
