import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  cache,
  counter,
  listen,
  lock,
  metrics,
  queue,
  Refused,
  signal,
  Unavailable,
} from '../../src/shared/index.ts'
import { type Ours, ours } from '../commons/support.ts'
import { until } from '../supervisor/site.ts'

let site: Ours

beforeAll(async () => {
  site = await ours()
  process.env.PORTICO_COMMONS = site.path
})

afterAll(() => site[Symbol.asyncDispose]())

test('the cache', async () => {
  const own = cache.named('own')
  expect(await own.get('a')).toBeNull()
  await own.set('a', 'ä', { expires: 60_000 })
  expect(await own.get('a')).toBe('ä')
  expect(await own.add('a', 'x')).toBe(false)
  expect(await own.replace('none', 'x')).toBe(false)
  await own.set('bytes', Uint8Array.of(0, 255))
  expect([...(await own.getBytes('bytes'))!]).toEqual([0, 255])
  await own.setJson('j', { n: [1] })
  expect(await own.getJson('j')).toEqual({ n: [1] })
  expect(await own.incr('n', 5)).toBe(5)
  expect(await own.getMany(['a', 'n', 'none'])).toEqual(
    new Map([
      ['a', 'ä'],
      ['n', '5'],
    ]),
  )
  await expect(own.incr('a')).rejects.toThrow(Refused)
  expect(await own.delete('a', 'none')).toBe(1)
  await cache.set('other', 1)
  expect(await own.clear()).toBe(3)
  expect(await cache.get('other')).toBe('1')
})

test('counters and queues', async () => {
  const visits = counter('visits')
  await visits.set(0)
  expect(await Promise.all(Array.from({ length: 50 }, () => visits.incr()))).toHaveLength(50)
  expect(await visits.get()).toBe(50)
  const orders = queue('orders')
  expect(await orders.get()).toBeNull()
  expect(await orders.get(20)).toBeNull()
  const waiting = orders.get(5000)
  expect(await orders.put('ä', 'b')).toBeGreaterThan(0)
  expect(await waiting).toBe('ä')
  expect(await orders.get()).toBe('b')
  expect(await orders.length()).toBe(0)
})

test('locks', async () => {
  let inside = 0
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      await using held = await lock('l')
      expect(++inside).toBe(1)
      expect(held.fence).toBeGreaterThan(0)
      await sleep(2)
      inside--
    }),
  )
  await using _held = await lock('l')
  await expect(lock('l', { wait: 20 })).rejects.toThrow('was not to be had')
  const brief = await lock('brief', { ttl: 10 })
  await sleep(30)
  expect(await brief.release()).toBe(false)
})

test('signals and metrics', async () => {
  const heard: string[] = []
  const stop = listen('ding', (data) => heard.push(data))
  await until('it to listen', async () => (await signal('ding', 'ä')) === 1)
  await until('it to hear', () => heard.includes('ä'))
  stop()
  metrics.counter('orders', 2, { country: 'de' })
  await until('the metric', () => site.server.commons.metrics().length === 1)
})

test('one that is gone is connected to anew', async () => {
  await cache.set('a', 1)
  for (const client of site.server.commons.clients) client.close()
  await sleep(20)
  expect(await cache.get('a')).toBe('1')
})

test('outside of Portico', async () => {
  for (const client of site.server.commons.clients) client.close()
  await sleep(20)
  delete process.env.PORTICO_COMMONS
  await expect(cache.get('a')).rejects.toThrow(Unavailable)
  metrics.counter('orders')
  process.env.PORTICO_COMMONS = '/nowhere/commons.sock'
  await expect(cache.get('a')).rejects.toThrow(/cannot be reached at \/nowhere/)
})
