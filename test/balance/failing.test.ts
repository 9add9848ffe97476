/** Servers that fail visitors, pools that do, and what visitors get then. */
import { type RequestListener, request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { ResiliencePlan } from '../../src/site/resilience-plan.ts'
import { closedPort, get, httpBackend, rawBackend, sleep } from '../transports/backends.ts'
import { type Front, front, poolPlan, target } from '../transports/front.ts'
import { breakerPlan, hedgePlan, passivePlan, resilience, retryPlan } from './resilience.ts'

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
  status: number
  asked: number
}

async function server(name: string, status = 200): Promise<Server> {
  const own: Server = { port: 0, status, asked: 0 }
  const { port } = keep(
    await httpBackend((_req, res) => {
      own.asked++
      res.writeHead(own.status).end(name)
    }),
  )
  return Object.assign(own, { port })
}

const said: string[] = []

async function pool(ports: readonly number[], changes: Partial<ResiliencePlan>): Promise<Front> {
  said.length = 0
  const plan = poolPlan(
    ports.map((port) => target(port)),
    resilience(changes),
  )
  return keep(await front(plan, { log: (line) => said.push(line) }))
}

const statuses = async (port: number, count: number): Promise<string> => {
  let all = ''
  for (let i = 0; i < count; i++) all += `${(await get(port, '/')).status} `
  return all.trim()
}

describe('a server that fails', () => {
  it.each([
    ['by a status', async () => (await server('bad', 503)).port],
    ['by closing', async () => keep(await rawBackend((socket) => socket.destroy())).port],
    ['by lying', async () => keep(await rawBackend((socket) => socket.end('moo\r\n\r\n'))).port],
    [
      'by cutting answers short',
      async () =>
        keep(
          await rawBackend((socket) =>
            socket.once('data', () =>
              socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
            ),
          ),
        ).port,
    ],
  ])('%s is left out after so many in a row', async (_how, failing) => {
    const good = await server('good')
    const { port } = await pool([await failing(), good.port], { passive: passivePlan() })
    for (let i = 0; i < 20; i++) await get(port, '/')
    expect(good.asked).toBe(17)
    expect(said).toEqual([
      expect.stringMatching(/^pool backend: .* fails, and is left out for 10s$/),
    ])
  })

  it('is tried by one request after its rest', async () => {
    const [bad, good] = [await server('bad', 503), await server('good')]
    const { port } = await pool([bad.port, good.port], { passive: passivePlan({ restMs: 400 }) })
    for (let i = 0; i < 6; i++) await get(port, '/')
    expect(bad.asked).toBe(3)
    await sleep(700)
    expect((await statuses(port, 6)).match(/503/g)?.length).toBe(1)
    expect(bad.asked).toBe(4)
    bad.status = 200
    await sleep(1_100)
    await statuses(port, 6)
    expect(bad.asked).toBeGreaterThan(5)
    expect(said.at(-1)).toMatch(/^pool backend: .* works again$/)
  })

  it('is asked all the same when it is the last one', async () => {
    const bad = await server('bad', 503)
    const { port } = await pool([bad.port], { passive: passivePlan() })
    await statuses(port, 10)
    expect([bad.asked, said]).toEqual([10, []])
  })

  it('is spared by those who are sent again', async () => {
    const [bad, good] = [await server('bad', 503), await server('good')]
    const { port } = await pool([bad.port, good.port], {
      passive: passivePlan(),
      retry: retryPlan(),
    })
    expect(new Set((await statuses(port, 20)).split(' '))).toEqual(new Set(['200']))
    expect(bad.asked).toBe(3)
  })

  it('takes a growing part when it is back', async () => {
    const [back, good] = [await server('back', 503), await server('good')]
    const { port } = await pool([back.port, good.port], {
      passive: passivePlan({ failures: 1, restMs: 300 }),
      slowStartMs: 2_000,
    })
    await statuses(port, 2)
    back.status = 200
    await sleep(700)
    await statuses(port, 2)
    const part = async (): Promise<number> => {
      const before = back.asked
      for (let i = 0; i < 40; i++) await get(port, '/')
      return back.asked - before
    }
    const first = await part()
    await sleep(700)
    const second = await part()
    await sleep(1_800)
    expect([first < 8, second > first, second < 18, await part()]).toEqual([true, true, true, 20])
  })
})

describe('a trial', () => {
  /** Fails until told to do something else. */
  async function failing(): Promise<{ port: number; asked: number; serve: RequestListener }> {
    const own = {
      port: 0,
      asked: 0,
      serve: ((_req, res) => res.writeHead(503).end()) as RequestListener,
    }
    const { port } = keep(
      await httpBackend((req, res) => {
        own.asked++
        own.serve(req, res)
      }),
    )
    return Object.assign(own, { port })
  }

  const works: RequestListener = (_req, res) => res.end('back')
  const hangs: RequestListener = () => {}
  const streams: RequestListener = (_req, res) => res.writeHead(200).write('on and on')

  /** Of four visitors in a row, how many it answers. */
  const answered = async (port: number): Promise<number> => {
    let count = 0
    for (let i = 0; i < 4; i++) if ((await get(port, '/')).body === 'back') count++
    return count
  }

  /** Visits until `own` is asked once more; returns who ends that visit. */
  async function visit(port: number, own: { readonly asked: number }): Promise<() => void> {
    const before = own.asked
    for (;;) {
      const visitor = request({ port, host: '127.0.0.1', agent: false })
      visitor.on('error', () => {}).on('response', (answer) => answer.resume())
      visitor.end()
      await sleep(60)
      if (own.asked > before) return () => visitor.socket?.resetAndDestroy()
      visitor.destroy()
    }
  }

  /** The next trial at `bad` meets `first`; then it works again. Resolves with how many answers come after. */
  async function answeredAfter(
    bad: Awaited<ReturnType<typeof failing>>,
    port: number,
    first: typeof hangs,
    leaves: boolean,
    restMs: number,
  ): Promise<number> {
    await statuses(port, 2)
    bad.serve = first
    await sleep(restMs)
    const leave = await visit(port, bad)
    bad.serve = works
    if (leaves) leave()
    await sleep(60)
    const count = await answered(port)
    leave()
    return count
  }

  it.each([
    ['that is called off makes way for another at once', hangs, true],
    ['goes well when its answer begins', streams, false],
  ])('of a server %s', async (_what, first, leaves) => {
    const [bad, good] = [await failing(), await server('good')]
    const { port } = await pool([bad.port, good.port], {
      passive: passivePlan({ failures: 1, restMs: 1_500 }),
    })
    expect(await answeredAfter(bad, port, first, leaves, 1_900)).toBe(2)
  })

  it('of a server that loses against a hedge makes way for another at once', async () => {
    const [bad, good] = [await failing(), await server('good')]
    const { port } = await pool([bad.port, good.port], {
      passive: passivePlan({ failures: 1, restMs: 1_500 }),
      hedge: hedgePlan({ afterMs: 30 }),
    })
    await statuses(port, 2)
    bad.serve = hangs
    await sleep(1_900)
    const before = bad.asked
    await statuses(port, 2)
    expect(bad.asked).toBe(before + 1)
    bad.serve = works
    expect(await answered(port)).toBe(2)
  })

  it.each([
    ['that is called off makes way for another at once', hangs, true],
    ['goes well when its answer begins', streams, false],
    ['is not failed by the end of its answer', streams, true],
  ])('of a pool %s', async (_what, first, leaves) => {
    const bad = await failing()
    const { port } = await pool([bad.port], {
      breaker: breakerPlan({ failures: 2, restMs: 1_500 }),
    })
    expect(await answeredAfter(bad, port, first, leaves, 1_600)).toBe(4)
  })
})

describe('a pool that fails', () => {
  it('is not asked for a while, and visitors are told when to come again', async () => {
    const bad = await server('bad', 503)
    const { port } = await pool([bad.port], {
      breaker: breakerPlan({ restMs: 900 }),
    })
    expect(await statuses(port, 3)).toBe('503 503 503')
    const got = await get(port, '/')
    expect([got.status, got.headers['retry-after'], bad.asked]).toEqual([503, '1', 3])
    bad.status = 200
    await sleep(1_200)
    expect(await statuses(port, 3)).toBe('200 200 200')
    expect(said).toEqual(['pool backend fails, and is not asked for 1s'])
  })

  it('is asked by one at a time until it works', async () => {
    const bad = await server('bad', 503)
    const { port } = await pool([bad.port], { breaker: breakerPlan({ restMs: 500 }) })
    await statuses(port, 3)
    await sleep(900)
    const all = await Promise.all(Array.from({ length: 10 }, () => get(port, '/')))
    expect([all.every(({ status }) => status === 503), bad.asked]).toEqual([true, 4])
  })

  it('counts what a retry could not mend, and nothing else', async () => {
    const [bad, good] = [await server('bad', 503), await server('good')]
    const { port } = await pool([bad.port, good.port], {
      breaker: breakerPlan({ failures: 1 }),
      retry: retryPlan(),
    })
    expect(new Set((await statuses(port, 10)).split(' '))).toEqual(new Set(['200']))
  })

  it('turns away what is too much', async () => {
    const slow = keep(await httpBackend((_req, res) => setTimeout(() => res.end('slow'), 200)))
    const { port } = await pool([slow.port], { breaker: breakerPlan({ pending: 3 }) })
    const all = await Promise.all(Array.from({ length: 8 }, () => get(port, '/')))
    expect(all.filter(({ status }) => status === 200).length).toBe(3)
    expect((await get(port, '/')).status).toBe(200)
  })
})

describe('a sorry page', () => {
  const sorry = { status: 503, type: 'text/html', body: '<p>Back soon.</p>' }

  it('stands for servers that are all gone', async () => {
    const { port } = await pool([await closedPort(), await closedPort()], { sorry })
    const got = await get(port, '/')
    expect([got.status, got.body]).toEqual([503, '<p>Back soon.</p>'])
    expect(got.headers).toMatchObject({ 'content-type': 'text/html', 'retry-after': '1' })
    expect((await get(port, '/', { method: 'HEAD' })).body).toBe('')
  })

  it('is no answer of a server', async () => {
    const { port } = await pool([(await server('own', 503)).port], { sorry })
    expect((await get(port, '/')).body).toBe('own')
  })
})
