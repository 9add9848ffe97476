/** What the differential tests cannot see: waiting, leaving, time, memory, and what Redis has not. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Failure, NO_ARRAY, OK, Pairs, Push, Status } from '../../src/wire/resp.ts'
import { until } from '../supervisor/site.ts'
import { Client, ours } from './support.ts'

test('who waits for a queue is served in turn, and gets nothing once it has left', async () => {
  await using site = await ours()
  const [a, b, c, giver] = await clients(site.path, 4)
  for (const client of [a, b, c]) {
    client!.send('BLPOP', 'first', 'second', '0')
    await sleep(5)
  }
  await a!.end()
  await until('the first to be gone', () => site.server.commons.clients.size === 3)
  expect(await giver!.ask('RPUSH', 'second', 'x', 'y', 'z')).toBe(3)
  expect(await b!.next()).toEqual(['second', 'x'])
  expect(await c!.next()).toEqual(['second', 'y'])
  expect(await giver!.ask('LRANGE', 'second', 0, -1)).toEqual(['z'])
})

test('what a client sends while it waits runs afterwards', async () => {
  await using site = await ours()
  const [waiting, giver] = await clients(site.path, 2)
  waiting!.send('BRPOP', 'q', '5')
  waiting!.send('SET', 'k', 'v')
  waiting!.send('GET', 'k')
  await sleep(10)
  expect(await giver!.ask('GET', 'k')).toBeNull()
  await giver!.ask('LPUSH', 'q', 'x')
  expect([await waiting!.next(), await waiting!.next(), await waiting!.next()]).toEqual([
    ['q', 'x'],
    OK,
    'v',
  ])
})

test('moves wake who waits for where they go', async () => {
  await using site = await ours()
  const [mover, waiting, giver] = await clients(site.path, 3)
  mover!.send('BLMOVE', 'a', 'b', 'LEFT', 'RIGHT', '0')
  waiting!.send('BLPOP', 'b', '0')
  await sleep(10)
  await giver!.ask('RPUSH', 'a', 'x')
  expect(await mover!.next()).toBe('x')
  expect(await waiting!.next()).toEqual(['b', 'x'])
})

test('a transaction that pushes and takes back wakes nobody', async () => {
  await using site = await ours()
  const [waiting, giver] = await clients(site.path, 2)
  waiting!.send('BLPOP', 'q', '0.1')
  await sleep(10)
  for (const word of ['MULTI', 'EXEC']) {
    if (word === 'EXEC') {
      await giver!.ask('RPUSH', 'q', 'x')
      await giver!.ask('DEL', 'q')
    }
    await giver!.ask(word)
  }
  expect(await waiting!.next()).toEqual(NO_ARRAY)
})

test('locks: fencing numbers grow, time ends them, a holder that leaves releases them', async () => {
  await using site = await ours()
  const [a, b, c] = await clients(site.path, 3)
  const first = (await a!.ask('PORTICO.LOCK', 'l', 0)) as number
  expect(await a!.ask('PORTICO.LOCK', 'l', 0)).toBe(first)
  expect(await b!.ask('PORTICO.LOCK', 'l', 0)).toBeNull()
  expect(await b!.ask('PORTICO.UNLOCK', 'l')).toBe(0)
  b!.send('PORTICO.LOCK', 'l', 20, 'WAIT', 5000)
  await sleep(5)
  c!.send('PORTICO.LOCK', 'l', 0, 'WAIT', 5000)
  await sleep(5)
  expect(await a!.ask('PORTICO.LOCKS')).toEqual([['l', first, -1, 2]])
  await a!.end()
  const second = (await b!.next()) as number
  expect(second).toBeGreaterThan(first)
  // It does not give it back: its 20 ms are over.
  expect(await c!.next()).toBeGreaterThan(second)
  expect(await b!.ask('PORTICO.UNLOCK', 'l')).toBe(0)
  expect(await c!.ask('PORTICO.UNLOCK', 'l')).toBe(1)
  expect(await c!.ask('PORTICO.LOCKS')).toEqual([])
  expect(site.server.commons.memory.used).toBe(0)
})

test('locks: an owner is known on any connection, and may outlive its own', async () => {
  await using site = await ours()
  const [a, b] = await clients(site.path, 2)
  const fence = await a!.ask('PORTICO.LOCK', 'l', 60_000, 'OWNER', 'me', 'KEEP')
  expect(await b!.ask('PORTICO.LOCK', 'l', 60_000, 'OWNER', 'you')).toBeNull()
  await a!.end()
  await until('it to be gone', () => site.server.commons.clients.size === 1)
  expect(await b!.ask('PORTICO.LOCK', 'l', 60_000, 'OWNER', 'me', 'KEEP')).toBe(fence)
  expect(await b!.ask('PORTICO.UNLOCK', 'l', 'OWNER', 'me')).toBe(1)
  expect(await b!.ask('PORTICO.LOCK', 'l', 0, 'KEEP')).toBeInstanceOf(Failure)
  expect(await b!.ask('PORTICO.LOCK', 'l', 'x')).toBeInstanceOf(Failure)
})

test('who waits for a lock and leaves does not get it, and who waits too long hears so', async () => {
  await using site = await ours()
  const [a, b, c] = await clients(site.path, 3)
  await a!.ask('PORTICO.LOCK', 'l', 0)
  b!.send('PORTICO.LOCK', 'l', 0, 'WAIT', 10_000)
  expect(await c!.ask('PORTICO.LOCK', 'l', 0, 'WAIT', 20)).toBeNull()
  await b!.end()
  await until('it to be gone', () => site.server.commons.clients.size === 2)
  await a!.ask('PORTICO.UNLOCK', 'l')
  expect(await c!.ask('PORTICO.LOCK', 'l', 0)).toBeTypeOf('number')
})

test('what has expired is not there, whether it was swept or not, and its memory is free', async () => {
  await using site = await ours()
  const [client] = await clients(site.path, 1)
  for (let i = 0; i < 500; i++) client!.send('SET', `k${i}`, 'v', 'PX', 300)
  for (let i = 0; i < 500; i++) await client!.next()
  expect(await client!.ask('DBSIZE')).toBe(500)
  await sleep(305)
  expect(await client!.ask('GET', 'k0')).toBeNull()
  await until('the sweep', () => site.server.commons.spaces[0]!.size === 0)
  expect(site.server.commons.memory.used).toBe(0)
  expect(site.server.commons.spaces[0]!.expiring).toBe(0)
})

test('memory stays within its bound: the cache gives way, queues and hashes do not', async () => {
  const size = 1024 ** 2
  await using site = await ours({ size, item: 65_536 })
  const [client] = await clients(site.path, 1)
  const { memory } = site.server.commons
  await client!.ask('RPUSH', 'queue', 'x'.repeat(1000))
  await client!.ask('HSET', 'hash', 'f', 'x'.repeat(1000))
  for (let i = 0; i < 5000; i++) client!.send('SET', `k${i}`, 'x'.repeat(1000))
  for (let i = 0; i < 5000; i++) {
    expect(await client!.next()).toEqual(OK)
    expect(memory.used).toBeLessThanOrEqual(size)
  }
  expect(await client!.ask('EXISTS', 'queue', 'hash', 'k4999')).toBe(3)
  expect(await client!.ask('EXISTS', 'k0')).toBe(0)
  for (let i = 0; i < 5000; i++) client!.send('RPUSH', 'queue', 'x'.repeat(1000))
  const replies = []
  for (let i = 0; i < 5000; i++) replies.push(await client!.next())
  expect(replies.at(-1)).toEqual(
    new Failure(
      "OOM command not allowed when used memory > 'maxmemory': raise cache.size in the site file",
    ),
  )
  expect(memory.used).toBeLessThanOrEqual(size)
  expect(await client!.ask('HGET', 'hash', 'f')).toBe('x'.repeat(1000))
  expect(await client!.ask('SET', 'k', 'x'.repeat(2000))).toBeInstanceOf(Failure)
  await client!.ask('FLUSHALL')
  expect(memory.used).toBe(0)
})

test('what is asked for again stays when what was asked for once goes', async () => {
  await using site = await ours({ size: 1024 ** 2, item: 65_536 })
  const [client] = await clients(site.path, 1)
  const popular = Array.from({ length: 50 }, (_, i) => `popular${i}`)
  for (const key of popular) await client!.ask('SET', key, 'x'.repeat(1000))
  for (let i = 0; i < 5000; i++) {
    client!.send('SET', `scan${i}`, 'x'.repeat(1000))
    client!.send('GET', popular[i % 50]!)
  }
  for (let i = 0; i < 10_000; i++) await client!.next()
  expect(await client!.ask('EXISTS', ...popular)).toBe(50)
})

test('every way of changing what is there leaves the count of bytes exact', async () => {
  await using site = await ours()
  const [client] = await clients(site.path, 1)
  const commands = [
    ['SET', 'a', 'x'.repeat(100)],
    ['APPEND', 'a', 'yy'],
    ['SET', 'a', '1'],
    ['INCRBY', 'a', '100000'],
    ['RPUSH', 'l', 'a', 'bb', 'ccc'],
    ['LPOP', 'l'],
    ['LMOVE', 'l', 'm', 'LEFT', 'RIGHT'],
    ['LREM', 'l', '0', 'ccc'],
    ['LTRIM', 'm', '5', '6'],
    ['HSET', 'h', 'f', 'v', 'g', 'w', 'f', 'vv'],
    ['HINCRBY', 'h', 'n', '5'],
    ['HDEL', 'h', 'f', 'g', 'x'],
    ['SET', 'h', 'no hash any more'],
    ['GETDEL', 'h'],
    ['EXPIRE', 'a', '-1'],
    ['HDEL', 'none', 'f'],
  ]
  for (const command of commands) {
    expect(await client!.ask(...command)).not.toBeInstanceOf(Failure)
  }
  expect(await client!.ask('DBSIZE')).toBe(0)
  expect(site.server.commons.memory.used).toBe(0)
})

test('SCAN tells everything that was there all along, once, and ends', async () => {
  await using site = await ours()
  const [client] = await clients(site.path, 1)
  const there = Array.from({ length: 300 }, (_, i) => `k${i}`)
  for (const key of there) await client!.ask('SET', key, '')
  const found: string[] = []
  let cursor = '0'
  let turns = 0
  do {
    const [next, keys] = (await client!.ask('SCAN', cursor, 'COUNT', 7)) as [string, string[]]
    found.push(...keys)
    cursor = next
    // It comes and goes meanwhile.
    await client!.ask('SET', `new${turns++}`, '')
    await client!.ask('DEL', `new${turns - 3}`)
  } while (cursor !== '0')
  expect(found.filter((key) => key.startsWith('k')).sort()).toEqual(there.sort())
  expect(turns).toBeLessThan(100)
  expect(await client!.ask('SCAN', '12345')).toBeInstanceOf(Failure)
  const [, matched] = (await client!.ask('SCAN', 0, 'MATCH', 'k1?', 'COUNT', 1000)) as [
    string,
    string[],
  ]
  expect(matched.length).toBe(10)
})

test('signals reach who listens, in RESP2 and as a push in RESP3', async () => {
  await using site = await ours()
  const raised: string[] = []
  site.server.commons.signalled = (name) => raised.push(name)
  const [two, three, giver] = await clients(site.path, 3)
  expect(await three!.ask('HELLO', 3)).toBeInstanceOf(Pairs)
  expect(await two!.ask('SUBSCRIBE', 'a', 'b')).toEqual(['subscribe', 'a', 1])
  expect(await two!.next()).toEqual(['subscribe', 'b', 2])
  expect(await three!.ask('PSUBSCRIBE', 'portico:signal:*')).toEqual(
    new Push(['psubscribe', 'portico:signal:*', 1]),
  )
  expect(await giver!.ask('PUBLISH', 'a', 'x')).toBe(1)
  expect(await two!.next()).toEqual(['message', 'a', 'x'])
  expect(await two!.ask('GET', 'k')).toBeInstanceOf(Failure)
  expect(await three!.ask('GET', 'k')).toBeNull()
  expect(await giver!.ask('PORTICO.SIGNAL', 'ding', 'data')).toBe(1)
  expect(await three!.next()).toEqual(
    new Push(['pmessage', 'portico:signal:*', 'portico:signal:ding', 'data']),
  )
  expect(raised).toEqual(['ding'])
  await two!.end()
  await until('it to be gone', () => site.server.commons.clients.size === 2)
  expect(await giver!.ask('PUBLISH', 'a', 'x')).toBe(0)
  expect(await giver!.ask('PUBSUB', 'CHANNELS')).toEqual([])
})

test('metrics add up, and nonsense is refused', async () => {
  await using site = await ours()
  const [client] = await clients(site.path, 1)
  for (const args of [
    ['orders', 'counter', '2', 'country', 'd\xc3\xa4'],
    ['orders', 'counter', '1.5', 'country', 'd\xc3\xa4'],
    ['stock', 'gauge', '7'],
    ['stock', 'gauge', '-3'],
    ['took', 'timing', '0.02'],
    ['took', 'timing', '3'],
  ]) {
    expect(await client!.ask('PORTICO.METRIC', ...args)).toEqual(OK)
  }
  expect(site.server.commons.metrics()).toEqual([
    {
      name: 'orders',
      kind: 'counter',
      labels: { country: 'dä' },
      value: 3.5,
      count: 2,
      buckets: [],
    },
    { name: 'stock', kind: 'gauge', labels: {}, value: -3, count: 2, buckets: [] },
    {
      name: 'took',
      kind: 'timing',
      labels: {},
      value: 3.02,
      count: 2,
      buckets: [0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2],
    },
  ])
  for (const args of [
    ['orders', 'gauge', '1'],
    ['orders', 'counter', '-1', 'country', 'd\xc3\xa4'],
    ['a b', 'gauge', '1'],
    ['a', 'sum', '1'],
    ['a', 'gauge', 'x'],
    ['a', 'gauge', ''],
    ['a', 'gauge', '1', 'label'],
    ['a', 'gauge', '1', 'bad label', 'x'],
  ]) {
    expect(await client!.ask('PORTICO.METRIC', ...args), args.join(' ')).toBeInstanceOf(Failure)
  }
})

test('a client that does not read its replies is not read from, and costs no memory', async () => {
  await using site = await ours()
  const [client] = await clients(site.path, 1)
  await client!.ask('SET', 'k', 'x'.repeat(500_000))
  client!.socket.pause()
  for (let i = 0; i < 200; i++) client!.send('GET', 'k')
  await sleep(200)
  const { rss } = process.memoryUsage()
  expect(site.server.commons.commands).toBeLessThan(100)
  client!.socket.resume()
  for (let i = 0; i < 200; i++) expect(((await client!.next()) as string).length).toBe(500_000)
  expect(process.memoryUsage().rss - rss).toBeLessThan(200 * 1024 ** 2)
})

test('a subscriber that does not read is let go of', async () => {
  await using site = await ours()
  const [lazy, giver] = await clients(site.path, 2)
  await lazy!.ask('SUBSCRIBE', 'c')
  lazy!.socket.pause()
  const message = 'x'.repeat(1_000_000)
  await until('it to be let go of', async () => (await giver!.ask('PUBLISH', 'c', message)) === 0)
})

test('one client more than there may be is turned away; the others go on', async () => {
  await using site = await ours({ connections: 2 })
  const [a, b] = await clients(site.path, 2)
  const third = await Client.connect(site.path)
  expect(await third.next()).toBeInstanceOf(Failure)
  await third.closed
  expect(await a!.ask('PING')).toEqual(new Status('PONG'))
  await b!.end()
  await until('room', () => site.server.commons.clients.size === 1)
  expect(await (await Client.connect(site.path)).ask('PING')).toEqual(new Status('PONG'))
})

test('what is no command of ours ends the connection, and nothing else', async () => {
  await using site = await ours()
  const [other] = await clients(site.path, 1)
  for (const text of [
    '*x\r\n',
    '*1\r\n$99999999\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\n\r\nSET a b\r\n',
  ]) {
    const client = await Client.connect(site.path)
    client.socket.write(text)
    expect(await client.next()).toBeInstanceOf(Failure)
    await client.closed
  }
  expect(await other!.ask('EXISTS', 'a')).toBe(0)
  expect(await other!.ask('QUIT')).toEqual(OK)
  await other!.closed
  expect(site.complaints).toEqual([])
})

test('CLIENT REPLY', async () => {
  await using site = await ours()
  const [client] = await clients(site.path, 1)
  client!.send('CLIENT', 'REPLY', 'SKIP')
  client!.send('SET', 'a', '1')
  expect(await client!.ask('INCR', 'a')).toBe(2)
  client!.send('CLIENT', 'REPLY', 'OFF')
  client!.send('INCR', 'a')
  expect(await client!.ask('CLIENT', 'REPLY', 'ON')).toEqual(OK)
  expect(await client!.ask('GET', 'a')).toBe('3')
})

async function clients(path: string, count: number): Promise<Client[]> {
  return Promise.all(Array.from({ length: count }, () => Client.connect(path)))
}
