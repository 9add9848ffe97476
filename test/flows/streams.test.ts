/** Plain TCP through the whole Portico with two threads: every end, every slowness, every failure. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readProxyHeader } from '../../src/wire/proxy-protocol.ts'
import { until } from '../supervisor/site.ts'
import { connectionLines, nextLine } from './support/connection-lines.ts'
import { freePort } from './support/peers.ts'
import { PlainServer } from './support/plain-server.ts'
import { Portico } from './support/portico.ts'
import { Visitor } from './support/visitor.ts'

const MB = 1_048_576

let echo: PlainServer
let first: PlainServer
let second: PlainServer
/** Holds its connections and says nothing. */
let silent: PlainServer
/** Sends without end. */
let spring: PlainServer
/** What it was sent first. */
let noting: PlainServer
const noted: Buffer[] = []
let portico: Portico

const names = [
  'echo',
  'two',
  'idle',
  'few',
  'dead',
  'spring',
  'silent',
  'v1',
  'v2',
  'behind',
  'address',
  'half',
  'server',
] as const
type Name = (typeof names)[number]
const port = (name: Name): number => Number(new URL(portico.urls[names.indexOf(name)]!).port)
const visit = (name: Name): Promise<Visitor> => Visitor.to(port(name))
const lines = (): number => connectionLines(portico).length

/** A visitor, and its connection at the server that holds it. */
async function visitSilent(): Promise<[Visitor, Socket]> {
  const before = silent.came
  const visitor = await visit('silent')
  await until('the connection', () => silent.came > before)
  return [visitor, [...silent.sockets].at(-1)!]
}

beforeAll(async () => {
  echo = await PlainServer.echo()
  first = await PlainServer.named('first')
  second = await PlainServer.named('second')
  silent = await PlainServer.start(() => {})
  spring = await PlainServer.start((socket) => {
    const drop = Buffer.alloc(65_536, 'x')
    const pour = (): void => {
      while (!socket.destroyed && socket.write(drop));
    }
    socket.on('drain', pour)
    pour()
  })
  noting = await PlainServer.start((socket) => {
    socket.on('data', (chunk: Buffer) => {
      noted.push(chunk)
      socket.end('noted')
    })
  })
  const gone = await freePort()
  const listen = (name: Name, more = ''): string =>
    `  - { on: "tcp://127.0.0.1:0", pool: ${name}${more} }`
  portico = await Portico.serve({
    'site.yaml': `
threads: 2
listen:
${[
  listen('echo'),
  listen('two'),
  '  - { on: "tcp://127.0.0.1:0", pool: silent, idle: 700ms }',
  '  - { on: "tcp://127.0.0.1:0", pool: echo, max-connections: 3 }',
  listen('dead'),
  listen('spring'),
  '  - { on: "tcp://127.0.0.1:0", pool: silent }',
  listen('v1'),
  listen('v2'),
  '  - { on: "tcp://127.0.0.1:0", pool: v1, proxy-protocol: true }',
  `  - { on: "tcp://127.0.0.1:0", pool: "${first.address}" }`,
  '  - { on: "tcp://127.0.0.1:0", pool: silent, half-closed: 400ms }',
  '  - { on: "tcp://127.0.0.1:0", pool: silent, server-idle: 400ms }',
].join('\n')}
pools:
  echo: { servers: ["tcp://${echo.address}"] }
  two: { servers: ["${first.address}", "${second.address}"] }
  dead: { servers: ["127.0.0.1:${gone}"] }
  spring: { servers: ["${spring.address}"] }
  silent: { servers: ["${silent.address}"] }
  v1: { servers: ["${noting.address}"], proxy-protocol: v1 }
  v2: { servers: ["${noting.address}"], proxy-protocol: v2 }
log: { access: stdout, format: json }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  for (const server of [echo, first, second, silent, spring, noting]) await server?.stop()
})

test('bytes go both ways, and the log says how many', async () => {
  const from = lines()
  const visitor = await visit('echo')
  visitor.send('hello')
  expect(String(await visitor.read())).toBe('hello')
  visitor.socket.end(', and good bye')
  expect(String(await visitor.end())).toBe(', and good bye')
  expect(await nextLine(portico, from)).toMatchObject({
    address: '127.0.0.1',
    protocol: 'tcp',
    listener: 'tcp://127.0.0.1:0',
    server: `tcp://${echo.address}`,
    received: 19,
    sent: 19,
    end: 'done',
  })
})

test('a pool may be one address, and servers take turns', async () => {
  using alone = await visit('address')
  expect(String(await alone.send('who?').read())).toBe('first who?')
  const heard: string[] = []
  for (let i = 0; i < 6; i++) {
    using visitor = await visit('two')
    heard.push(String(await visitor.send('').send('.').read()))
  }
  expect(heard.toSorted()).toEqual([...Array(3).fill('first .'), ...Array(3).fill('second .')])
})

describe('ends', () => {
  test('a visitor that says no more still hears', async () => {
    const server = await PlainServer.start((socket) => {
      socket.resume()
      socket.on('end', () => setTimeout(() => socket.end('the answer'), 300))
    })
    await using site = await serve(server)
    using visitor = await Visitor.to(site.port)
    visitor.socket.end('question')
    expect(String(await visitor.end())).toBe('the answer')
    await server.stop()
  })

  test('a server that says no more still hears', async () => {
    const told = Promise.withResolvers<string>()
    const server = await PlainServer.start((socket) => {
      let text = ''
      socket.on('data', (chunk: Buffer) => {
        text += chunk
      })
      socket.on('end', () => told.resolve(text))
      socket.end('bye')
    })
    await using site = await serve(server)
    using visitor = await Visitor.to(site.port)
    expect(String(await visitor.end())).toBe('bye')
    await sleep(300)
    visitor.socket.end('one thing more')
    expect(await told.promise).toBe('one thing more')
    await server.stop()
  })

  test('a reset of the visitor reaches the server', async () => {
    const from = lines()
    const trouble = Promise.withResolvers<string>()
    const [visitor, socket] = await visitSilent()
    visitor.send('x')
    socket.on('error', (error: NodeJS.ErrnoException) => trouble.resolve(error.code ?? ''))
    socket.resume()
    visitor.socket.resetAndDestroy()
    expect(await trouble.promise).toBe('ECONNRESET')
    expect(await nextLine(portico, from)).toMatchObject({ end: 'client-reset' })
  })

  test('a reset of the server reaches the visitor', async () => {
    const from = lines()
    const [visitor, socket] = await visitSilent()
    const trouble = once(visitor.socket, 'error')
    visitor.send('x')
    socket.resetAndDestroy()
    visitor.socket.resume()
    expect((await trouble)[0].code).toBe('ECONNRESET')
    expect(await nextLine(portico, from)).toMatchObject({ end: 'server-reset' })
  })

  test('an answer of who does not hear the rest arrives', async () => {
    const server = await PlainServer.start((socket) => {
      socket.once('data', () => {
        socket.end('x'.repeat(200_000))
        setTimeout(() => socket.destroy(), 200)
      })
    })
    await using site = await serve(server)
    using visitor = await Visitor.to(site.port)
    const upload = setInterval(() => visitor.send('more'), 20)
    visitor.send('first')
    let had = 0
    for (let part = await visitor.read(); part !== null; part = await visitor.read()) {
      had += part.length
      await sleep(50)
    }
    clearInterval(upload)
    expect(had).toBe(200_000)
    await server.stop()
  })

  test('nothing in either direction for long is an end', async () => {
    const from = lines()
    const visitor = await visit('idle')
    const began = performance.now()
    await visitor.end()
    expect(performance.now() - began).toBeGreaterThan(600)
    expect(await nextLine(portico, from)).toMatchObject({ end: 'client-idle' })
  })

  test.each(['half', 'server'] as const)(
    'a server that does not answer is one: %s',
    async (name) => {
      const from = lines()
      const visitor = await visit(name)
      if (name === 'half') visitor.socket.end('the end')
      await visitor.end()
      expect(await nextLine(portico, from)).toMatchObject({ end: 'server-idle' })
    },
  )

  test('no server that can be reached', async () => {
    const from = lines()
    const visitor = await visit('dead')
    await visitor.end()
    expect(await nextLine(portico, from)).toMatchObject({ end: 'unreachable', sent: 0 })
    await portico.logged(/listen tcp:.*ECONNREFUSED/)
  })
})

describe('slowness', () => {
  test('a visitor that does not read stops the server, and memory stays', async () => {
    const before = (await portico.status()).totals.memory.rss
    const visitors = await Promise.all(Array.from({ length: 8 }, () => visit('spring')))
    const taken = (): number => [...spring.sockets].reduce((sum, one) => sum + one.bytesWritten, 0)
    let last = -1
    await until('the spring to stand still', async () => {
      const now = taken()
      const still = now > 0 && now === last
      last = now
      await sleep(200)
      return still
    })
    // Kernel buffers of both connections are what it takes, and 64 KB of ours.
    expect((await portico.status()).totals.memory.rss - before).toBeLessThan(40 * MB)
    const [visitor] = visitors
    let had = 0
    visitor!.socket.on('data', (chunk: Buffer) => {
      had += chunk.length
    })
    await until('it to go on', () => had > 20 * MB)
    for (const one of visitors) one.leave()
  })

  test('a server that does not read stops the visitor', async () => {
    const [visitor, socket] = await visitSilent()
    const drop = Buffer.alloc(MB)
    let sent = 0
    visitor.socket.on('drain', () => {})
    while (sent < 64 && visitor.socket.writableLength < 16 * MB) {
      visitor.socket.write(drop)
      sent++
    }
    await sleep(700)
    expect(visitor.socket.writableLength).toBeGreaterThan(4 * MB)
    let heard = 0
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.length
    })
    await until('all of it', () => heard === sent * MB)
    visitor.leave()
  })

  test('a large body arrives as it was sent', async () => {
    const visitor = await visit('echo')
    const body = Buffer.alloc(8 * MB)
    for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(i, i)
    visitor.socket.end(body)
    const back = await visitor.end()
    expect(back.equals(body)).toBe(true)
  })
})

test('more than there may be are closed at once, counted over both threads', async () => {
  const few = await Promise.all([visit('few'), visit('few'), visit('few')])
  for (const one of few) expect(String(await one.send('here').read())).toBe('here')
  using fourth = await visit('few')
  expect(String(await fourth.end())).toBe('')
  few[0]!.leave()
  await until('room again', async () => {
    using again = await visit('few')
    return String(await again.send('hi').read()) === 'hi'
  })
  for (const one of few) one.leave()
})

describe('PROXY headers', () => {
  test.each(['v1', 'v2'] as const)('%s names the visitor to the server', async (name) => {
    noted.length = 0
    using visitor = await visit(name)
    const own = visitor.socket.localPort
    expect(String(await visitor.send('x').end())).toBe('noted')
    const all = Buffer.concat(noted)
    const header = readProxyHeader(all)!
    expect(header.visitor).toMatchObject({ address: '127.0.0.1', port: own, localPort: port(name) })
    expect(all.subarray(header.length).toString()).toMatch(/^x?$/)
  })

  test('what one in front says is passed on', async () => {
    noted.length = 0
    using visitor = await visit('behind')
    visitor.send('PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\nhello')
    expect(String(await visitor.end())).toBe('noted')
    expect(Buffer.concat(noted).toString()).toMatch(
      /^PROXY TCP4 192\.0\.2\.7 192\.0\.2\.1 4711 25\r\n/,
    )
  })
})

describe('servers that fail', () => {
  test('one that is gone: the next one serves, and no visitor notices', async () => {
    await first.stop()
    for (let i = 0; i < 10; i++) {
      using visitor = await visit('two')
      expect(String(await visitor.send('.').read())).toBe('second .')
    }
    await first.start()
    await until('the first to be asked again', async () => {
      using visitor = await visit('two')
      return String(await visitor.send('.').read()) === 'first .'
    })
  })
})

test('status and metrics tell of it, over a reload too', async () => {
  const before = (await portico.status()).streams?.[0]
  expect(before).toMatchObject({ listener: 'tcp://127.0.0.1:0', protocol: 'tcp' })
  expect(before!.accepted).toBeGreaterThan(30)
  expect(before!.refused).toBeGreaterThan(0)
  expect(before!.failed).toBeGreaterThan(0)
  expect(before!.received).toBeGreaterThan(8 * MB)
  expect(before!.sent).toBeGreaterThan(20 * MB)
  const { out } = await portico.run('status')
  expect(out).toMatch(/listener +open +accepted/)
  expect((await portico.run('reload')).code).toBe(0)
  const after = (await portico.status()).streams?.[0]
  expect(after!.accepted).toBeGreaterThanOrEqual(before!.accepted)
})

test('a reload: connections go on with who has them, new ones meet the new plan', async () => {
  // A visitor that left is no end as long as its server has not said so.
  for (const socket of silent.sockets) socket.destroy()
  const visitor = await visit('echo')
  expect(String(await visitor.send('before').read())).toBe('before')
  const { code } = await portico.run('reload')
  expect(code).toBe(0)
  expect(String(await visitor.send('after').read())).toBe('after')
  using fresh = await visit('echo')
  expect(String(await fresh.send('new').read())).toBe('new')
  visitor.socket.end()
  await visitor.end()
  await until(
    'the old generation to end',
    async () => (await portico.status()).draining.length === 0,
  )
})

async function serve(server: PlainServer): Promise<Portico> {
  return Portico.serve({
    'site.yaml': `listen: { on: "tcp://127.0.0.1:0", pool: "${server.address}" }\nthreads: 1\n`,
  })
}
