/** Pools of real servers behind the whole Portico, with two server threads: who is asked, exactly. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { NamedServer } from './support/named.ts'
import { Portico } from './support/portico.ts'
import { ask, type Reply } from './support/visitor.ts'

let servers: NamedServer[]
let portico: Portico

beforeAll(async () => {
  servers = await NamedServer.start('a', 'b', 'c')
  const [a, b, c] = servers.map(({ address }) => `"${address}"`)
  const plain = `servers: [${a}, ${b}, ${c}]`
  const weighted = `servers: [{ to: ${a}, weight: 1 }, { to: ${b}, weight: 3 }, { to: ${c}, weight: 2 }]`
  const pools: Record<string, string> = {
    wrr: `schedule: wrr, servers: [{ to: ${a}, weight: 5 }, ${b}, ${c}]`,
    rr: `schedule: rr, ${weighted}`,
    least: `schedule: least-connections, ${plain}`,
    lc: `schedule: lc, ${plain}`,
    hash: `schedule: { by: hash, key: "cookie:sid", consistent: true }, ${plain}`,
    lblc: `schedule: lblc, ${plain}`,
    fo: `schedule: fo, ${weighted}`,
    ovf: `schedule: ovf, ${weighted}`,
    most: `schedule: first, servers: [{ to: ${a}, max-connections: 5 }, { to: ${b}, max-connections: 7 }, { to: ${c}, backup: true }]`,
    drained: `servers: [{ to: ${a}, weight: 0 }, { to: ${b}, down: true }, ${c}]`,
  }
  portico = await Portico.serve({
    'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
log: { access: "off" }
routes:
${Object.keys(pools)
  .map((name) => `  /${name}: { proxy: ${name} }`)
  .join('\n')}
pools:
${Object.entries(pools)
  .map(([name, pool]) => `  ${name}: { ${pool} }`)
  .join('\n')}
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
    server.asked = 0
    server.most = 0
  }
})

/** Each on a connection of its own, so that both threads have some. */
const get = (pool: string, fields: Record<string, string> = {}): Promise<Reply> =>
  ask(portico.port, `/${pool}`, { fields })

const asked = (): number[] => servers.map((server) => server.asked)
const active = (): number[] => servers.map((server) => server.active)

/** One request after another that a server holds; the name of whom each came to. */
async function hold(pool: string, count: number, held: Promise<Reply>[]): Promise<string> {
  for (const server of servers) server.holds = true
  let names = ''
  for (let i = 0; i < count; i++) {
    const before = active()
    held.push(get(pool))
    names += await until('its arrival', () => {
      const at = active().findIndex((number, server) => number > before[server]!)
      return at >= 0 && servers[at]!.name
    })
  }
  return names
}

describe('over two threads', () => {
  test('turns by weight are exact, at any concurrency', async () => {
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 28 }, () => get('wrr')))
    }
    expect(asked()).toEqual([200, 40, 40])
    await Promise.all(Array.from({ length: 30 }, () => get('rr')))
    expect(asked()).toEqual([210, 50, 50])
  })

  test.each(['least', 'lc'])('one sees what the other has in hand: %s', async (pool) => {
    const held: Promise<Reply>[] = []
    for (let i = 1; i <= 10; i++) {
      await hold(pool, 3, held)
      expect(active()).toEqual([i, i, i])
    }
    servers[1]!.release()
    await until('those of b', () => servers[1]!.active === 0)
    expect(await hold(pool, 10, held)).toBe('b'.repeat(10))
    for (const server of servers) server.release()
    for (const reply of await Promise.all(held)) expect(reply.status).toBe(200)
  })

  test('ties are no reason to ask the same one, unless by LVS’s name', async () => {
    let [turns, first] = ['', '']
    for (let i = 0; i < 6; i++) {
      turns += (await get('least')).text
      first += (await get('lc')).text
    }
    expect([[...turns].toSorted().join(''), first]).toEqual(['aabbcc', 'aaaaaa'])
  })

  test('nobody has more than its max-connections, and backups have the rest', async () => {
    for (const server of servers) server.holds = true
    const all = Promise.all(Array.from({ length: 40 }, () => get('most')))
    await until('all of them', () => active().reduce((sum, count) => sum + count) === 40)
    expect(active()).toEqual([5, 7, 28])
    for (const server of servers) {
      server.holds = false
      server.release()
    }
    for (const { status } of await all) expect(status).toBe(200)
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 20 }, () => get('most')))
    expect(servers.map(({ most }) => most).slice(0, 2)).toEqual([5, 7])
  })

  test('a destination is remembered by all threads', async () => {
    const owners = new Map<string, string>()
    for (let i = 0; i < 60; i++) {
      const host = `${i % 6}.test`
      const { text } = await get('lblc', { Host: host })
      expect(text).toBe(owners.get(host) ?? text)
      owners.set(host, text)
    }
  })
})

test('weight 0 and down: nothing', async () => {
  for (let i = 0; i < 10; i++) expect((await get('drained')).text).toBe('c')
})

test('ovf: what is above the weight runs over', async () => {
  const held: Promise<Reply>[] = []
  // A server has room while what it has in hand is no more than its weight.
  expect(await hold('ovf', 9, held)).toBe('bbbbcccaa')
  expect((await get('ovf')).status).toBe(503)
  for (const server of servers) server.release()
  await Promise.all(held)
})

test('a hash sticks, and only the keys of a killed server move', async () => {
  const sids = Array.from({ length: 40 }, (_, i) => `s${i}`)
  const owner = async (sid: string): Promise<string> =>
    (await get('hash', { Cookie: `x=y; sid=${sid}` })).text
  const owners = async (): Promise<string[]> => Promise.all(sids.map(owner))
  const before = await owners()
  expect(new Set(before).size).toBe(3)
  for (let i = 0; i < 3; i++) expect(await owners()).toEqual(before)
  await servers[1]!.stop()
  try {
    for (let i = 0; i < 2; i++) {
      for (const [at, now] of (await owners()).entries()) {
        if (before[at] === 'b') expect('ac').toContain(now)
        else expect(now).toBe(before[at])
      }
    }
  } finally {
    await servers[1]!.start()
  }
  await until('b to have its own again', async () => (await owners()).join() === before.join())
})

test('fo: the highest weight, for as long as it answers', async () => {
  expect((await get('fo')).text).toBe('b')
  await servers[1]!.stop()
  try {
    for (let i = 0; i < 6; i++) expect((await get('fo')).text).toBe('c')
  } finally {
    await servers[1]!.start()
  }
  await until('b again', async () => (await get('fo')).text === 'b')
})
