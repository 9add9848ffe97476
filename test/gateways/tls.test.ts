/** The gateway before TLS, fed what nobody should send, over both kinds of streams. */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Gateway } from '../../src/gateways/gateway.ts'
import { TlsGateway, type TlsGatewayOptions } from '../../src/gateways/tls.ts'
import type { ByteStream, Connection } from '../../src/listen/byte-stream.ts'
import { LightStream } from '../../src/listen/light-stream.ts'
import { NodeStream } from '../../src/listen/node-stream.ts'
import { isStreamHandle } from '../../src/listen/stream-handle.ts'
import { clock } from '../../src/request/clock.ts'
import type { Peer } from '../../src/request/exchange.ts'
import { CIPHERS, GROUPS } from '../../src/site/settings/tls.ts'
import type { TlsPlan } from '../../src/site/tls-plan.ts'
import { ServerTls } from '../../src/tls/server.ts'
import { until } from '../supervisor/site.ts'
import { pair } from '../tls/support/certificates.ts'

const PLAN: TlsPlan = {
  set: '',
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: CIPHERS,
  groups: GROUPS,
  signatures: '',
  preferServerCiphers: false,
  strictNames: false,
  sessionSeconds: 300,
  handshakeMs: 5_000,
  handshakes: 2,
  clients: null,
}

const shared = Buffer.alloc(65_536)

/** Says back what it hears. */
class Echo implements Gateway {
  readonly name = 'echo'
  readonly peers: Peer[] = []
  connections = 0
  #onEmpty: (() => void) | null = null

  admit(): boolean {
    return true
  }

  connect(socket: ByteStream, peer?: Peer): Connection {
    this.connections++
    if (peer !== undefined) this.peers.push(peer)
    return {
      read: (bytes, length) => {
        socket.write(Buffer.from(bytes.subarray(0, length)))
        return true
      },
      ended: () => socket.end(),
      drained: () => {},
      closed: () => {
        this.connections--
        if (this.connections === 0) this.#onEmpty?.()
      },
    }
  }

  drain(done: () => void): void {
    this.#onEmpty = done
    if (this.connections === 0) done()
  }

  eachExchange(): void {}
  close(): void {}
}

const site = pair({ names: ['localhost'] })

interface Rig {
  readonly port: number
  readonly echo: Echo
  readonly gateway: TlsGateway
  readonly counts: { secured: number; notSecured: number }
  readonly server: Server
}

async function rig(light: boolean, change: Partial<TlsGatewayOptions> = {}): Promise<Rig> {
  const echo = new Echo()
  const counts = { secured: 0, notSecured: 0 }
  const pem = { from: 'test', ...site }
  const tls = new ServerTls({ sets: { '': [pem] }, authorities: {}, tickets: [KEY] })
  const listener = { name: 'test', scheme: 'https', backlog: 1, proxyProtocol: false } as const
  const address = { kind: 'tcp', host: '127.0.0.1', port: 0 } as const
  const gateway = new TlsGateway({
    plan: PLAN,
    contexts: tls.contexts({ ...listener, address, tls: change.plan ?? PLAN })!,
    protocols: new Map([['echo', echo]]),
    otherwise: echo,
    demand: null,
    challenge: async () => null,
    plainAnswer: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    counts: {
      secured: () => counts.secured++,
      notSecured: () => counts.notSecured++,
    },
    most: 100,
    complain: () => {},
    ...change,
  })
  const server = createServer({ allowHalfOpen: true, highWaterMark: 1 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  if (light) {
    Reflect.get(server, '_handle').onconnection = (_: number, handle: unknown) => {
      if (!isStreamHandle(handle)) throw new Error('this Node has other handles')
      const stream = new LightStream(handle, shared)
      stream.start(gateway.connect(stream))
    }
  } else {
    server.on('connection', (socket: Socket) => {
      const stream = new NodeStream(socket)
      stream.start(gateway.connect(stream))
    })
  }
  const { port } = server.address() as { port: number }
  return { port, echo, gateway, counts, server }
}

const KEY = Buffer.alloc(48, 7).toString('base64')

async function hello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const client = connectTls({ port, host: '127.0.0.1', servername: 'localhost' })
  client.on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

/** Everything that comes until the connection is closed. */
async function say(port: number, ...parts: Uint8Array[]): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  const got: Buffer[] = []
  socket.on('data', (chunk: Buffer) => got.push(chunk))
  socket.on('error', () => {})
  await once(socket, 'connect')
  for (const part of parts) {
    socket.write(part)
    await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end()
  if (!socket.destroyed) await once(socket, 'close')
  return Buffer.concat(got)
}

async function echoes(port: number, options: object = {}): Promise<string> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    rejectUnauthorized: false,
    ...options,
  })
  try {
    await once(socket, 'secureConnect')
    socket.write('hello')
    return String((await once(socket, 'data'))[0])
  } finally {
    socket.destroy()
  }
}

describe.each([
  ['on handles', true],
  ['on net.Sockets', false],
])('TLS %s', (_, light) => {
  let one: Rig
  beforeAll(async () => {
    one = await rig(light)
  })
  afterAll(() => {
    one.gateway.close()
    one.server.close()
  })

  it('goes on with whoever speaks what ALPN chose, and tells who came', async () => {
    expect(await echoes(one.port)).toBe('hello')
    expect(await echoes(one.port, { ALPNProtocols: ['other', 'echo'] })).toBe('hello')
    const peer = one.echo.peers.at(-1)!
    expect(peer).toMatchObject({ scheme: 'https', address: '127.0.0.1' })
    expect(peer.localPort).toBe(one.port)
    expect(peer.tls?.seen).toMatchObject({ protocol: 'TLSv1.3', serverName: 'localhost' })
    await expect(echoes(one.port, { ALPNProtocols: ['other'] })).rejects.toThrow()
  })

  it('survives a hello that is cut anywhere, or changed anywhere', async () => {
    const bytes = await hello()
    const before = one.echo.connections
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, by) => {
          const changed = Buffer.from(bytes)
          changed[at]! ^= by
          await say(one.port, bytes.subarray(0, at))
          await say(one.port, changed.subarray(0, at), changed.subarray(at))
        },
      ),
      { numRuns: 60 },
    )
    expect(await echoes(one.port)).toBe('hello')
    await until('the last to go', () => one.echo.connections === before)
  })

  it('survives anything else that may come', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 }), (parts) =>
        say(one.port, ...parts).then(() => {}),
      ),
      { numRuns: 60 },
    )
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), (rest) =>
        say(one.port, Buffer.concat([Uint8Array.of(0x16, 3, 1, 1, 0, 1, 0, 0, 0xfc), rest])).then(
          () => {},
        ),
      ),
      { numRuns: 60 },
    )
    expect(await echoes(one.port)).toBe('hello')
  })

  it('refuses a name that is too long, and a hello that never ends', async () => {
    const name = Buffer.alloc(60_000, 'a')
    const list = Buffer.concat([Buffer.from([0, 0xea, 0x60]), name])
    const extension = Buffer.concat([Buffer.from([0, 0, 0xea, 0x65, 0xea, 0x63]), list])
    const body = Buffer.concat([
      Buffer.from([3, 3]),
      Buffer.alloc(32),
      Buffer.from([0, 0, 2, 0x13, 1, 1, 0, 0xea, 0x69]),
      extension,
    ])
    const head = Buffer.from([1, 0, body.length >> 8, body.length & 255])
    const records: Buffer[] = []
    const all = Buffer.concat([head, body])
    for (let at = 0; at < all.length; at += 16_000) {
      const part = all.subarray(at, at + 16_000)
      records.push(Buffer.from([0x16, 3, 1, part.length >> 8, part.length & 255]), part)
    }
    const answer = await say(one.port, ...records)
    expect([Buffer.from('15030300020232', 'hex'), Buffer.alloc(0)]).toContainEqual(answer)
    expect(await echoes(one.port)).toBe('hello')
  })

  it('begins no more handshakes than it may, and the others in their turn', async () => {
    const bytes = await hello()
    // Two that begin and never end.
    const stuck: Socket[] = []
    for (let i = 0; i < 2; i++) {
      const socket = connect(one.port, '127.0.0.1').on('error', () => {})
      stuck.push(socket)
      await once(socket, 'connect')
      socket.write(bytes)
      await once(socket, 'data')
    }
    let came = ''
    const waiting = echoes(one.port).then((text) => {
      came = text
    })
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(came).toBe('')
    stuck[0]!.destroy()
    await waiting
    expect(came).toBe('hello')
    stuck[1]!.destroy()
  })

  it('lets nobody keep the others out with handshakes that never end', async () => {
    const bytes = await hello()
    const stuck: Socket[] = []
    for (let i = 0; i < 2; i++) {
      const socket = connect(one.port, '127.0.0.1').on('error', () => {})
      stuck.push(socket)
      await once(socket, 'connect')
      socket.write(bytes)
      await once(socket, 'data')
    }
    const began = performance.now()
    expect(await echoes(one.port)).toBe('hello')
    expect(performance.now() - began).toBeLessThan(PLAN.handshakeMs - 1_000)
    for (const socket of stuck) socket.destroy()
  })

  it('waits for no handshake for ever', async () => {
    const other = await rig(light, { plan: { ...PLAN, handshakeMs: 300 } })
    const socket = connect(other.port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    const bytes = await hello()
    socket.write(bytes)
    socket.resume()
    const began = clock.now
    await once(socket, 'close')
    expect(clock.now - began).toBeLessThan(2_000)
    expect(other.counts.notSecured).toBe(1)
    expect(await echoes(other.port)).toBe('hello')
    other.gateway.close()
    other.server.close()
  })

  it('drains: a handshake under way is finished, then the connection’s own gateway decides', async () => {
    const other = await rig(light)
    const living = connectTls({ port: other.port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(living, 'secureConnect')
    let drained = false
    other.gateway.drain(() => {
      drained = true
    })
    expect(drained).toBe(false)
    living.destroy()
    await until('the end', () => drained)
    other.gateway.close()
    other.server.close()
  })

  it('leaves nothing behind when visitors go in the middle', async () => {
    const bytes = await hello()
    const before = one.counts.secured
    for (let i = 0; i < 20; i++) {
      const socket = connect(one.port, '127.0.0.1').on('error', () => {})
      await once(socket, 'connect')
      socket.write(bytes)
      if (i % 2 === 0) await once(socket, 'data')
      socket.resetAndDestroy()
    }
    expect(await echoes(one.port)).toBe('hello')
    expect(one.counts.secured).toBe(before + 1)
    await until('all to go', () => one.echo.connections === 0)
    expect(one.gateway.admit()).toBe(true)
  })
})
