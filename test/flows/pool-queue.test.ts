/** Requests that wait for a place at full servers, over two server threads. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { PoolCounts } from '../../src/balance/pool-counts.ts'
import type { SiteStatus } from '../../src/supervisor/status.ts'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { NamedServer } from './support/named.ts'
import { Portico } from './support/portico.ts'
import { ask, type Reply, Visitor } from './support/visitor.ts'

let servers: NamedServer[]
let portico: Portico

beforeAll(async () => {
  servers = await NamedServer.start('a', 'b')
  const full = servers.map(({ address }) => `{ to: "${address}", max-connections: 2 }`)
  portico = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
log: { access: "off" }
routes: { /: { proxy: patient }, /hurried: { proxy: hurried }, /loyal: { proxy: loyal } }
pools:
  patient: { servers: [${full.join(', ')}], queue: { size: 40, timeout: 20s } }
  hurried: { servers: [${full.join(', ')}], queue: { size: 3, timeout: 700ms } }
  loyal:
    servers: [${full.join(', ')}]
    persistence: { by: header, header: X-User }
    queue: { timeout: 20s }
`,
  })
})

afterAll(async () => {
  await portico?.[Symbol.asyncDispose]()
  await Promise.all(servers.map((server) => server.stop()))
})

beforeEach(async () => {
  for (const server of servers) {
    server.holds = false
    server.release()
  }
  await until('nothing in hand', () => servers.every(({ active }) => active === 0))
  for (const server of servers) {
    server.most = 0
    server.asked = 0
  }
})

/** On a connection of its own, so that both threads have some. */
async function send(
  path = '/',
  fields: Record<string, string> = {},
): Promise<{ visitor: Visitor; reply: Promise<Reply> }> {
  const visitor = await Visitor.to(portico.port)
  const reply = visitor.ask(path, { fields })
  reply.catch(() => {})
  return { visitor, reply }
}

const inHand = (): number => servers.reduce((sum, { active }) => sum + active, 0)

async function fill(path: string): Promise<void> {
  for (const server of servers) server.holds = true
  await Promise.all(Array.from({ length: 4 }, () => send(path)))
  await until('full servers', () => inHand() === 4)
}

async function counts(pool: string): Promise<PoolCounts> {
  const admin = portico.log.findLast((line) => line.admin !== undefined)!.admin!
  const status: SiteStatus = JSON.parse((await ask(admin, '/status')).text)
  return status.poolCounts![pool]!
}

const waiting = async (pool: string): Promise<number> => (await counts(pool)).waiting

test('first come, first served, whatever thread they are in; and nobody is asked too much', async () => {
  await fill('/')
  const order: number[] = []
  for (let i = 0; i < 12; i++) {
    const { reply } = await send()
    void reply.then(({ status }) => order.push(status === 200 ? i : -1))
    await until('it to wait', async () => (await waiting('patient')) === i + 1)
  }
  for (let i = 0; i < 16; i++) {
    await until('a request', () => servers[i % 2]!.releaseOne())
    if (i >= 4) await until('an answer', () => order.length === i - 3)
    // Whoever has its place by now is there before the next one is.
    const asked = Math.min(16, 5 + i)
    await until('the next one', () => servers[0]!.asked + servers[1]!.asked === asked)
  }
  expect(order).toEqual(Array.from({ length: 12 }, (_, i) => i))
  expect(servers.map(({ most }) => most)).toEqual([2, 2])
})

test('who waits too long gets 503 and is told when to come again; so is who finds it full', async () => {
  await fill('/hurried')
  const since = performance.now()
  const late = await Promise.all(Array.from({ length: 3 }, () => send('/hurried')))
  await until('them to wait', async () => (await waiting('hurried')) === 3)
  const full = await (await send('/hurried')).reply
  expect([full.status, full.fields['retry-after']]).toEqual([503, '1'])
  for (const { reply } of late) {
    const { status, fields } = await reply
    expect([status, fields['retry-after']]).toEqual([503, '1'])
  }
  expect(performance.now() - since).toBeGreaterThan(690)
  const { queueFull, queueLate } = await counts('hurried')
  expect([queueFull, queueLate]).toEqual([1, 3])
})

test('a visitor that leaves leaves the line', async () => {
  await fill('/')
  const visitors = await Promise.all(Array.from({ length: 3 }, () => send()))
  await until('them to wait', async () => (await waiting('patient')) === 3)
  visitors[0]!.visitor.socket.resetAndDestroy()
  visitors[1]!.visitor.socket.resetAndDestroy()
  await until('them to leave', async () => (await waiting('patient')) === 1)
  servers[0]!.releaseOne()
  await until('the third one', () => servers[0]!.asked + servers[1]!.asked === 5)
})

test('a visitor who belongs to a server waits for that one; others are served meanwhile', async () => {
  const loyal = async (user: string): Promise<Reply> =>
    (await send('/loyal', { 'X-User': user })).reply
  const own = (await loyal('ann')).text
  const [at, other] = own === 'a' ? [servers[0]!, servers[1]!] : [servers[1]!, servers[0]!]
  at.holds = true
  const held = [loyal('ann'), loyal('ann')]
  await until('a full server', () => at.active === 2)
  let answered = ''
  const waits = loyal('ann').then(({ text }) => {
    answered = text
  })
  await until('it to wait', async () => (await counts('loyal')).waiting === 1)
  expect((await (await send('/loyal')).reply).text).toBe(other.name)
  expect([(await counts('loyal')).waiting, answered]).toEqual([1, ''])
  at.holds = false
  at.release()
  await Promise.all([...held, waits])
  expect(answered).toBe(own)
})

test('under load everybody is served, and places are used', async () => {
  const load = new Load(portico.port, { kept: 16, fresh: 8 })
  await until('load', () => load.answered > 2_000)
  const { lost, statuses } = await load.stop()
  expect([lost, Object.keys(statuses)]).toEqual([[], ['200']])
  for (const { most } of servers) expect(most).toBeLessThanOrEqual(2)
  expect(await waiting('patient')).toBe(0)
})
