/** Requests that are sent again: when, how often, and what the visitor sees of it. */
import type { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { RetryPlan } from '../../src/site/resilience-plan.ts'
import {
  closedPort,
  get,
  httpBackend,
  raw,
  rawBackend,
  scriptedBackend,
  until,
} from '../transports/backends.ts'
import { type Front, front, poolPlan, target } from '../transports/front.ts'
import { resilience, retryPlan } from './resilience.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

/** A pool of these in their order, with a retry. */
async function pool(ports: readonly number[], retry: Partial<RetryPlan> = {}): Promise<Front> {
  const servers = ports.map((port) => target(port))
  const plan = poolPlan(servers, {
    responseTimeoutMs: 60_000,
    ...resilience({ retry: retryPlan(retry) }),
  })
  return keep(await front(plan))
}

async function good(body = 'good'): Promise<number> {
  const { port } = keep(
    await httpBackend((req, res) => {
      const parts: Buffer[] = []
      req.on('data', (part) => parts.push(part))
      req.on('end', () => res.end(body + Buffer.concat(parts)))
    }),
  )
  return port
}

/** Answers every request with this, raw, then ends. */
async function lying(answer: string): Promise<number> {
  return keep(await scriptedBackend((socket) => socket.end(answer, 'latin1'))).port
}

const SILENT = (socket: Socket): void => void socket.resume()

describe('a request is sent to the next server', () => {
  it.each([
    ['that closes before it answers', ''],
    ['that closes in the midst of the head', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['that answers garbage', 'SSH-2.0-OpenSSH_9.2\r\n'],
    [
      'that answers two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    ],
    ['that answers a listed status', 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy'],
    ['that answers a listed status and closes', 'HTTP/1.1 502 Bad\r\n\r\nbad'],
    ['that announces more than it sends', 'HTTP/1.1 503 Busy\r\nContent-Length: 40\r\n\r\nbusy'],
    ['that never ends', `HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbusy\r\n`],
  ])('after one %s', async (_what, answer) => {
    const { port } = await pool([await lying(answer), await good()])
    for (let i = 0; i < 4; i++) {
      const got = await get(port, '/')
      expect([got.status, got.body, got.cut]).toEqual([200, 'good', false])
      expect(got.rawHeaders.filter((name) => name === 'Content-Length').length).toBeLessThan(2)
    }
  })

  it('after one that is too slow', async () => {
    const slow = keep(await rawBackend(SILENT))
    const { port } = await pool([slow.port, await good()], { eachMs: 200 })
    const since = performance.now()
    expect((await get(port, '/')).body).toBe('good')
    expect(performance.now() - since).toBeLessThan(1_200)
  })

  it('after one that resets the connection', async () => {
    const resetting = keep(
      await rawBackend((socket) => socket.on('data', () => socket.resetAndDestroy())),
    )
    const { port } = await pool([resetting.port, await good()])
    for (let i = 0; i < 3; i++) expect((await get(port, '/')).body).toBe('good')
  })

  it('with its body', async () => {
    const half = keep(
      await rawBackend((socket) => {
        let got = 0
        socket.on('data', (part: Buffer) => {
          got += part.length
          if (got > 10_000) socket.destroy()
        })
      }),
    )
    const { port } = await pool([half.port, await good('')])
    const body = Array.from({ length: 6_000 }, (_, i) => `${i};`).join('')
    for (let i = 0; i < 4; i++) {
      const got = await get(port, '/', { method: 'PUT', body })
      expect([got.status, got.body === body]).toEqual([200, true])
    }
    const chunked = await get(port, '/', {
      method: 'PUT',
      prepare: (request) => {
        for (let at = 0; at < body.length; at += 1_000) request.write(body.slice(at, at + 1_000))
      },
    })
    expect([chunked.status, chunked.body === body]).toEqual([200, true])
  })
})

describe('a request is not sent again', () => {
  it('when it may do something twice, unless the owner says so', async () => {
    const ports = [await lying(''), await good()]
    const { port } = await pool(ports)
    const statuses = []
    for (let i = 0; i < 2; i++) {
      statuses.push((await get(port, '/', { method: 'POST', body: 'x' })).status)
    }
    expect(statuses.toSorted()).toEqual([200, 502])
    const other = await pool(ports, { unsafe: true })
    for (let i = 0; i < 2; i++) {
      expect((await get(other.port, '/', { method: 'POST', body: 'x' })).body).toBe('goodx')
    }
  })

  it('when its body was too long to be kept', async () => {
    const closing = keep(await rawBackend((socket) => socket.once('data', () => socket.destroy())))
    const { port } = await pool([closing.port, await good('')], { body: 10_000 })
    const body = 'x'.repeat(50_000)
    const statuses = []
    for (let i = 0; i < 2; i++) {
      statuses.push((await get(port, '/', { method: 'PUT', body })).status)
    }
    expect(statuses.toSorted()).toEqual([200, 502])
  })

  it('when the visitor has a part of the answer', async () => {
    const cutting = keep(
      await scriptedBackend((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart')
        setTimeout(() => socket.destroy(), 50)
      }),
    )
    const { port } = await pool([cutting.port, await good()])
    const got = await get(port, '/')
    expect([got.body, got.cut]).toEqual(['part', true])
    expect((await get(port, '/')).body).toBe('good')
  })

  it('for statuses that are not listed', async () => {
    const { port } = await pool([
      await lying('HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno'),
      await good(),
    ])
    const bodies = [(await get(port, '/')).body, (await get(port, '/')).body]
    expect(bodies.toSorted()).toEqual(['good', 'no'])
  })

  it('more often than it says, and the last answer is the visitor’s', async () => {
    let asked = 0
    const busy = async (name: string): Promise<number> =>
      keep(
        await httpBackend((_req, res) => {
          asked++
          res.writeHead(503, { 'Retry-After': '7' }).end(name)
        }),
      ).port
    const ports = [await busy('a'), await busy('b'), await busy('c'), await good()]
    const { port } = await pool(ports, { tries: 3 })
    const got = await get(port, '/')
    expect([got.status, got.body, got.headers['retry-after'], asked]).toEqual([503, 'c', '7', 3])
  })

  it('for longer than it says in all', async () => {
    const slow = [0, 1, 2, 3].map(async () => keep(await rawBackend(SILENT)).port)
    const { port } = await pool(await Promise.all(slow), { tries: 4, eachMs: 500, timeMs: 1_000 })
    const since = performance.now()
    expect((await get(port, '/')).status).toBe(504)
    expect(performance.now() - since).toBeLessThan(2_000)
  })

  it('and has all the time there is when it is the last try, or the only one', async () => {
    const slow = async (): Promise<number> =>
      keep(await httpBackend((_req, res) => setTimeout(() => res.end('slow'), 1_200))).port
    const { port } = await pool([await slow(), await slow()], { eachMs: 200, tries: 2 })
    expect((await get(port, '/')).body).toBe('slow')
    expect((await get(port, '/', { method: 'POST', body: 'x' })).body).toBe('slow')
    const alone = await pool([await slow()], { eachMs: 200 })
    expect((await get(alone.port, '/')).body).toBe('slow')
  })

  it('when all have failed already', async () => {
    const { port } = await pool([await lying('')])
    expect((await get(port, '/')).status).toBe(502)
  })
})

it('servers that refuse the connection do not count as tries', async () => {
  const dead = [await closedPort(), await closedPort(), await closedPort()]
  const { port } = await pool([...dead, await good()], { tries: 1 })
  expect((await get(port, '/')).body).toBe('good')
})

it('sends hardly more than visitors ask, when everything fails', async () => {
  let asked = 0
  const failing = async (): Promise<number> =>
    keep(
      await httpBackend((_req, res) => {
        asked++
        res.writeHead(503).end()
      }),
    ).port
  const { port } = await pool([await failing(), await failing(), await failing()], { budget: 0.1 })
  for (let i = 0; i < 300; i++) expect((await get(port, '/')).status).toBe(503)
  // A tenth, and ten for each second that this took.
  expect(asked - 300).toBeGreaterThan(10)
  expect(asked - 300).toBeLessThan(150)
})

it('uses the connection of an answer that nobody wanted again', async () => {
  let answers = 0
  const busy = keep(
    await scriptedBackend((socket) => {
      answers++
      socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbu')
      setTimeout(() => socket.write('sy'), 5)
    }),
  )
  const { port } = await pool([busy.port, await good()])
  for (let i = 0; i < 10; i++) {
    expect((await get(port, '/')).body).toBe('good')
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
  expect([answers > 3, busy.accepted]).toEqual([true, 1])
})

it('closes the connection of one that is too long to be read for nothing', async () => {
  const endless = keep(
    await scriptedBackend((socket) => {
      socket.write('HTTP/1.1 503 Busy\r\n\r\n')
      const timer = setInterval(() => socket.write('x'.repeat(16_384)), 1)
      socket.on('close', () => clearInterval(timer))
    }),
  )
  const { port } = await pool([endless.port, await good()])
  for (let i = 0; i < 2; i++) expect((await get(port, '/')).body).toBe('good')
  await until(() => endless.sockets.size === 0)
})

it('tells the server that its visitor has left', async () => {
  const slow = keep(await rawBackend(SILENT))
  const { port } = await pool([slow.port])
  await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
    setTimeout(() => socket.resetAndDestroy(), 50)
  })
  await until(() => slow.sockets.size === 0)
})
