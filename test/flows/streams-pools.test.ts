/** What pools do for connections as for requests: rests, a queue, belongings, servers that are cut off. */
import { closeSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeTcp, portOf } from '../../src/listen/address.ts'
import { bind, checked, getsockname, listen, openSocket } from '../../src/system/libc.ts'
import { until } from '../supervisor/site.ts'
import { freePort } from './support/peers.ts'
import { PlainServer } from './support/plain-server.ts'
import { Portico } from './support/portico.ts'
import { Visitor } from './support/visitor.ts'

let a: PlainServer
let b: PlainServer
let portico: Portico
let full: { readonly port: number; close(): void }

const names = ['rests', 'queue', 'belongs', 'cut', 'fast'] as const
type Name = (typeof names)[number]
const visit = (name: Name): Promise<Visitor> =>
  Visitor.to(Number(new URL(portico.urls[names.indexOf(name)]!).port))

/** A port whose queue is full: the kernel drops who comes, as a firewall does. */
async function cutOff(): Promise<typeof full> {
  const target = encodeTcp('127.0.0.1', 0)
  const fd = openSocket(target.family, 1)
  checked('bind', bind(fd, target.bytes, target.bytes.length))
  checked('listen', listen(fd, 0))
  const name = new Uint8Array(28)
  checked('getsockname', getsockname(fd, name, new Uint8Array(Int32Array.of(28).buffer)))
  const port = portOf(name)
  const sockets: Socket[] = []
  for (let i = 0; i < 4; i++) sockets.push(connect(port, '127.0.0.1').on('error', () => {}))
  await until('the queue to be full', () => sockets.some(({ connecting }) => !connecting))
  return {
    port,
    close: () => {
      for (const socket of sockets) socket.destroy()
      closeSync(fd)
    },
  }
}

/** Who answers; '' where nobody does. */
async function who(name: Name): Promise<string> {
  using visitor = await visit(name)
  return String(await visitor.send('.').read()).split(' ')[0]!
}

beforeAll(async () => {
  a = await PlainServer.named('a')
  b = await PlainServer.named('b')
  full = await cutOff()
  const gone = await freePort()
  portico = await Portico.serve({
    'site.yaml': `
threads: 2
listen:
${names.map((name) => `  - { on: "tcp://127.0.0.1:0", pool: ${name} }`).join('\n')}
pools:
  rests: { servers: ["127.0.0.1:${gone}", "${a.address}"], passive: { failures: 1, rest: 1m } }
  queue: { servers: [{ to: "${a.address}", max-connections: 1 }], queue: { size: 2, timeout: 600ms } }
  belongs: { servers: ["${a.address}", "${b.address}"], persistence: { by: source } }
  cut: { servers: ["127.0.0.1:${full.port}", "${b.address}"], connect-timeout: 300ms }
  fast: { servers: ["${a.address}", "${b.address}"], schedule: least-time }
log: { access: "off" }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  full?.close()
  for (const server of [a, b]) await server?.stop()
})

test('one that fails is left out', async () => {
  for (let i = 0; i < 6; i++) expect(await who('rests')).toBe('a')
  await portico.logged(/pool rests: .* fails, and is left out for 60s/)
})

test('whoever finds no place waits for one, and not for ever', async () => {
  const first = await visit('queue')
  expect(String(await first.send('x').read())).toBe('a x')
  // Threads may take them in either order: the place goes to who has waited longest, none to the other.
  const others = [await visit('queue'), await visit('queue')]
  const heard = others.map(async (other) => String((await other.send('y').read()) ?? 'nothing'))
  first.socket.end()
  expect((await Promise.all(heard)).toSorted()).toEqual(['a y', 'nothing'])
  for (const other of others) other.leave()
})

test('a visitor belongs to a server', async () => {
  const first = await who('belongs')
  for (let i = 0; i < 6; i++) expect(await who('belongs')).toBe(first)
})

test('one that is cut off costs its time, then the next one serves', async () => {
  const began = performance.now()
  expect(await who('cut')).toBe('b')
  expect(await who('cut')).toBe('b')
  expect(performance.now() - began).toBeLessThan(3_000)
})

test('the time that it takes to connect is what least-time knows', async () => {
  const heard = new Set<string>()
  for (let i = 0; i < 8; i++) heard.add(await who('fast'))
  expect([...heard].every((name) => name === 'a' || name === 'b')).toBe(true)
})
