/** The raw connection behind an upgrade: both directions, in order, bounded, and closed in halves. */
import type { Duplex } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import type { Exchange } from '../../../src/request/exchange.ts'
import { Held } from './handlers.ts'
import { type ListeningSite, listeningSite } from './site.ts'
import { sleep, until, Visitor } from './visitor.ts'

const ASK = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: test\r\n\r\n'
const SWITCH = {
  status: 101,
  reason: '',
  fields: 'Connection: Upgrade\r\nUpgrade: test\r\n',
  has: 0,
}

let site: ListeningSite | null = null
const visitors: Visitor[] = []

afterEach(() => {
  for (const visitor of visitors.splice(0)) visitor.leave()
  site?.close()
})

interface Asked {
  readonly site: ListeningSite
  readonly visitor: Visitor
  readonly exchange: Exchange
}

async function asked(bytes = ASK, tunnelMs = 60_000): Promise<Asked> {
  const held = new Held()
  const made = await listeningSite({ routes: { '/': held }, tunnelMs })
  site = made
  const visitor = await Visitor.at(made.port)
  visitors.push(visitor)
  visitor.send(bytes)
  await until(() => held.exchanges.length === 1)
  expect(held.last.fields.upgrade).toBe('test')
  return { site: made, visitor, exchange: held.last }
}

function gather(tunnel: Duplex): { text: () => string; ended: () => boolean } {
  const parts: Buffer[] = []
  let ended = false
  tunnel.on('data', (part: Buffer) => parts.push(part))
  tunnel.on('end', () => {
    ended = true
  })
  tunnel.on('error', () => {})
  return { text: () => Buffer.concat(parts).toString('latin1'), ended: () => ended }
}

/** What the visitor has received behind the head of the answer. */
function behindHead(visitor: Visitor): string {
  const text = visitor.received.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  return end < 0 ? '' : text.slice(end + 4)
}

test('bytes pass both ways, and what was read ahead comes first', async () => {
  const { visitor, exchange } = await asked(`${ASK}early `)
  visitor.send('and ')
  await sleep(20)
  const tunnel = exchange.upgrade(SWITCH)
  const got = gather(tunnel)
  visitor.send('late')
  await until(() => got.text() === 'early and late')
  tunnel.write('hello')
  await until(() => behindHead(visitor) === 'hello')
  expect(visitor.received.toString()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
  expect(visitor.received.toString()).not.toMatch(/Content-Length|Transfer-Encoding/)
})

test('a tunnel opened inside the handler gets what came in the same read', async () => {
  const tunnels: Duplex[] = []
  const made = await listeningSite({
    routes: {
      '/': {
        name: 'at once',
        handle(exchange) {
          tunnels.push(exchange.upgrade(SWITCH))
        },
      },
    },
  })
  site = made
  const visitor = await Visitor.at(made.port)
  visitors.push(visitor)
  visitor.send(`${ASK}first`)
  await until(() => tunnels.length === 1)
  const got = gather(tunnels[0]!)
  visitor.send(' second')
  await until(() => got.text() === 'first second')
})

test('each side closes its half alone', async () => {
  const { visitor, exchange, site: made } = await asked()
  const tunnel = exchange.upgrade(SWITCH)
  const got = gather(tunnel)
  visitor.send('bye').end()
  await until(got.ended)
  expect(got.text()).toBe('bye')
  tunnel.write('one last ')
  await sleep(20)
  tunnel.end('word')
  await visitor.gone()
  expect(behindHead(visitor)).toBe('one last word')
  expect(visitor.broken).toBe('')
  await until(() => made.totals().open === 0)
})

test('the other side first, too', async () => {
  const { visitor, exchange, site: made } = await asked()
  const tunnel = exchange.upgrade(SWITCH)
  const got = gather(tunnel)
  tunnel.end('no more from here')
  await visitor.serverEnd()
  visitor.send('but some ')
  await sleep(20)
  visitor.send('from there').end()
  await until(got.ended)
  expect(got.text()).toBe('but some from there')
  await until(() => made.totals().open === 0)
})

test('a visitor that half-closed before the answer is known to have', async () => {
  const { visitor, exchange, site: made } = await asked(`${ASK}all I have`)
  visitor.end()
  await sleep(50)
  const tunnel = exchange.upgrade(SWITCH)
  const got = gather(tunnel)
  await until(got.ended)
  expect(got.text()).toBe('all I have')
  tunnel.end('thanks')
  await visitor.gone()
  expect(behindHead(visitor)).toBe('thanks')
  await until(() => made.totals().open === 0)
})

test('a visitor that does not read holds the writer back', async () => {
  const { visitor, exchange } = await asked()
  visitor.socket.pause()
  const tunnel = exchange.upgrade(SWITCH)
  gather(tunnel)
  const block = Buffer.alloc(1_000_000, 'x')
  let written = 0
  const writeOn = (): void => {
    while (written < 60 && tunnel.write(block)) written++
    if (written < 60) {
      written++
      tunnel.once('drain', writeOn)
    } else tunnel.end()
  }
  writeOn()
  await sleep(300)
  expect(written).toBeLessThan(20)
  visitor.socket.resume()
  await visitor.serverEnd()
  expect(behindHead(visitor).length).toBe(60_000_000)
}, 20_000)

test('a reader that does not read holds the visitor back', async () => {
  const { visitor, exchange, site: made } = await asked()
  const tunnel = exchange.upgrade(SWITCH)
  tunnel.on('error', () => {})
  const block = Buffer.alloc(1_000_000, 'x')
  for (let i = 0; i < 40; i++) visitor.send(block)
  visitor.end()
  await sleep(300)
  expect(made.totals().received).toBeLessThan(1_000_000)
  let size = 0
  tunnel.on('data', (part: Buffer) => {
    size += part.length
  })
  await until(() => size === 40_000_000, 10_000)
}, 20_000)

test('a visitor that breaks off breaks the tunnel', async () => {
  const { visitor, exchange, site: made } = await asked()
  const tunnel = exchange.upgrade(SWITCH)
  const got = gather(tunnel)
  let closed = 0
  tunnel.on('close', () => closed++)
  visitor.send('x')
  await until(() => got.text() === 'x')
  visitor.reset()
  await until(() => closed === 1)
  expect(got.ended()).toBe(false)
  await until(() => made.totals().open === 0)
  expect(made.totals()).toMatchObject({ active: 0, requests: 1 })
})

test('a tunnel that is destroyed closes the connection', async () => {
  const { visitor, exchange, site: made } = await asked()
  exchange.upgrade(SWITCH).destroy()
  await visitor.serverEnd()
  await until(() => made.totals().open === 0)
})

test('close() cuts tunnels, too', async () => {
  const { visitor, exchange, site: made } = await asked()
  let closed = 0
  exchange.upgrade(SWITCH).on('close', () => closed++)
  await sleep(20)
  made.close()
  await visitor.serverEnd()
  await until(() => closed === 1 && made.totals().open === 0)
})

test('bytes in either direction keep it open, silence does not', async () => {
  const { visitor, exchange, site: made } = await asked(ASK, 600)
  const tunnel = exchange.upgrade(SWITCH)
  gather(tunnel)
  for (let i = 0; i < 10; i++) {
    tunnel.write('x')
    await sleep(150)
  }
  for (let i = 0; i < 10; i++) {
    visitor.send('x')
    await sleep(150)
  }
  expect(visitor.ended).toBe(false)
  await visitor.serverEnd()
  await until(() => made.totals().open === 0)
  expect(behindHead(visitor)).toBe('x'.repeat(10))
  expect(made.totals().sent).toBe(visitor.received.length)
})
