/** Upgrades through the proxy, over real sockets. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { get, httpBackend, raw, rawBackend, sleep, until } from '../transports/backends.ts'
import { front, poolPlan, target } from '../transports/front.ts'
import { echoWebSockets } from './websocket-echo.ts'

const open: { close(): void }[] = []
afterEach(() => {
  for (const each of open.splice(0)) each.close()
})

function keep<T extends { close(): void }>(made: T): T {
  open.push(made)
  return made
}

const ASK =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: test\r\n\r\n'
const SWITCH =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\nX-More: 1\r\n\r\n'

/** A front before a backend that switches protocols at once; its sockets speak raw from then on. */
async function switching(
  serve: (socket: Socket) => void,
  first = '',
  options: { tunnelIdleMs?: number } = {},
): Promise<{ port: number; sockets: ReadonlySet<Socket> }> {
  const backend = keep(
    await rawBackend((socket) => {
      socket.once('data', () => {
        socket.write(SWITCH + first)
        serve(socket)
      })
    }, false),
  )
  const { port } = keep(await front(poolPlan([target(backend.port)]), options))
  return { port, sockets: backend.sockets }
}

describe('a WebSocket', () => {
  it('carries text, large and small messages, and closes in order', async () => {
    const backend = keep(await httpBackend((_req, res) => res.end('plain')))
    echoWebSockets(backend.server)
    const { port } = keep(await front(poolPlan([target(backend.port)])))
    const socket = new WebSocket(`ws://127.0.0.1:${port}/chat`)
    socket.binaryType = 'arraybuffer'
    await new Promise((resolve, reject) => {
      socket.onopen = resolve
      socket.onerror = reject
    })
    const say = (message: string | Buffer<ArrayBuffer>): Promise<unknown> =>
      new Promise((resolve) => {
        socket.onmessage = ({ data }) => resolve(data)
        socket.send(message)
      })
    expect(await say('hello')).toBe('hello')
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
      const message = Buffer.from(randomBytes(size))
      const echoed = await say(message)
      expect(echoed instanceof ArrayBuffer && Buffer.from(echoed).equals(message)).toBe(true)
    }
    const closed = new Promise<number>((resolve) => {
      socket.onclose = ({ code }) => resolve(code)
    })
    socket.close(4000, 'enough')
    expect(await closed).toBe(4000)
    expect((await get(port, '/')).body).toBe('plain')
  })

  it('that the backend declines is a plain answer, and the connection goes on', async () => {
    const backend = keep(await httpBackend((req, res) => res.end(`no ${req.headers.upgrade}`)))
    const { port } = keep(await front(poolPlan([target(backend.port)])))
    const got = await get(port, '/', { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } })
    expect(got).toMatchObject({ status: 200, body: 'no websocket' })
  })
})

describe('a tunnel', () => {
  it('passes on what either side said at once, and half of an end', async () => {
    let heard = ''
    const { port } = await switching((socket) => {
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString()
      })
      socket.on('end', () => {
        socket.write(`heard ${heard}`)
        socket.end()
      })
    }, 'early')
    const all = await raw(port, `${ASK}me too`, (visitor) => {
      setTimeout(() => visitor.end(', bye'), 50)
    })
    expect(all).toContain('HTTP/1.1 101 Switching Protocols\r\n')
    expect(all).toContain('X-More: 1\r\n')
    expect(all.split('\r\n\r\n')[1]).toBe('earlyheard me too, bye')
  })

  it('lets a visitor speak on after the backend’s end', async () => {
    let heard = ''
    const { port, sockets } = await switching((socket) => {
      socket.end('done')
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString()
      })
    })
    const visitor = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    visitor.write(ASK)
    visitor.resume()
    await new Promise((resolve) => visitor.on('end', resolve))
    visitor.write('still here')
    await until(() => heard === 'still here')
    visitor.end()
    await until(() => sockets.size === 0)
  })

  it('ends on both sides when one breaks', async () => {
    const { port, sockets } = await switching((socket) => {
      setTimeout(() => socket.resetAndDestroy(), 30)
    })
    expect(await raw(port, ASK)).toContain('101')
    await until(() => sockets.size === 0)
    const other = await switching((socket) => socket.resume())
    await raw(other.port, ASK, (visitor) => {
      visitor.on('data', () => visitor.resetAndDestroy())
    })
    await until(() => other.sockets.size === 0)
  })

  it('holds back a side that the other is too slow for', async () => {
    let backendSocket: Socket | null = null
    const { port } = await switching((socket) => {
      backendSocket = socket
      socket.pause()
    })
    const visitor = connect({ port, host: '127.0.0.1' })
    visitor.write(ASK)
    await new Promise((resolve) => visitor.once('data', resolve))
    const block = Buffer.alloc(1_000_000, 'v')
    for (let i = 0; i < 40; i++) visitor.write(block)
    await sleep(400)
    // What the kernel's buffers and ours take, but not everything.
    expect(visitor.writableLength).toBeGreaterThan(10_000_000)
    let received = 0
    backendSocket!.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    backendSocket!.resume()
    await until(() => received === 40_000_000, 10_000)

    visitor.pause()
    for (let i = 0; i < 40; i++) backendSocket!.write(block)
    await sleep(400)
    expect(backendSocket!.writableLength).toBeGreaterThan(10_000_000)
    let back = 0
    visitor.on('data', (chunk: Buffer) => {
      back += chunk.length
    })
    visitor.resume()
    await until(() => back === 40_000_000, 10_000)
    visitor.destroy()
  })

  it('on which nothing moves is closed', async () => {
    const ending = (socket: Socket): void => void socket.on('end', () => socket.end()).resume()
    const { port, sockets } = await switching(ending, '', {
      tunnelIdleMs: 300,
    })
    const began = performance.now()
    expect(await raw(port, ASK)).toContain('101')
    expect(performance.now() - began).toBeGreaterThan(290)
    await until(() => sockets.size === 0)
  })
})

describe('an upgrade', () => {
  /** What the backend is asked, for a request with these fields. */
  async function asked(fields: string): Promise<string> {
    let head = ''
    const backend = keep(
      await rawBackend((socket) => {
        socket.on('data', (chunk: Buffer) => {
          head += chunk.toString()
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        })
      }),
    )
    const { port } = keep(await front(poolPlan([target(backend.port)])))
    await raw(port, `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, (visitor) => {
      visitor.on('data', () => visitor.end())
    })
    return head
  }

  it('is passed on only when Connection names it', async () => {
    expect(await asked('Connection: Upgrade\r\nUpgrade: websocket\r\n')).toContain(
      'Connection: Upgrade\r\nUpgrade: websocket\r\n',
    )
    expect(await asked('Upgrade: websocket\r\n')).not.toMatch(/upgrade/i)
  })

  it.each(['h2c', 'H2C', 'HTTP/2.0', 'TLS/1.0', 'websocket, h2c'])(
    'to %s is not passed on: it would carry requests past the routes',
    async (protocol) => {
      expect(
        await asked(
          `Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nUpgrade: ${protocol}\r\n`,
        ),
      ).not.toMatch(/upgrade|http2/i)
    },
  )

  it('to something else than was asked for is a lie', async () => {
    const backend = keep(
      await rawBackend((socket) => {
        socket.on('data', () => socket.write(SWITCH))
      }),
    )
    const { port } = keep(await front(poolPlan([target(backend.port)])))
    const got = await get(port, '/', { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } })
    expect(got.status).toBe(502)
  })
})
