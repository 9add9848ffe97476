/** A request past its deadline: 504, the traceback in the log, another worker; nobody else waits. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask } from './support/visitor.ts'

const site = (threads: number): string => `
listen: "127.0.0.1:0"
routes: { "/": { app: shop } }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 2, threads: ${threads}, deadline: 1s }
`

// Line numbers count: the log must name them.
const APP = `import os, re, threading, time

def sleeps():
    time.sleep(60)  # line 4

def sleeps_in_a_loop():
    while True:
        time.sleep(0.01)  # line 8

def matches_for_ages():
    re.match(r"(a+)+$", "a" * 64 + "b")  # line 11

def waits_for_a_lock():
    threading.Lock().acquire() and None
    lock = threading.Lock(); lock.acquire()
    lock.acquire()  # line 16

def application(environ, start_response):
    name = environ["PATH_INFO"][1:]
    if name:
        globals()[name]()
    start_response("200 OK", [("Content-Length", "5")])
    return [b"quick"]
`

const stuck = [
  ['sleeps', 4],
  ['sleeps_in_a_loop', 8],
  ['matches_for_ages', 11],
  ['waits_for_a_lock', 16],
] as const

test.each([1, 4])(
  '%d threads a worker',
  async (threads) => {
    await using portico = await Portico.serve({ 'site.yaml': site(threads), 'shop.py': APP })
    await portico.settled()
    for (const [name, line] of stuck) {
      const before = portico.log.length
      const startedAt = performance.now()
      const answer = ask(portico.port, `/${name}?secret=no`)
      await sleep(200)
      const others = await Promise.all(Array.from({ length: 8 }, () => ask(portico.port, '/')))
      const quick = performance.now() - startedAt
      const fine = others.filter(({ status, text }) => status === 200 && text === 'quick')
      if (threads > 1 && name === 'matches_for_ages') {
        // A regular expression holds Python's lock: what the same worker has in hand fails with it, or
        // reaches the deadline itself.
        expect(fine.length).toBeGreaterThanOrEqual(4)
        for (const { status } of others) expect([200, 502, 504]).toContain(status)
      } else {
        expect(fine).toHaveLength(8)
        expect(quick).toBeLessThan(900)
      }

      expect((await answer).status).toBe(504)
      const took = performance.now() - startedAt
      expect(took).toBeGreaterThan(950)
      expect(took).toBeLessThan(2_000)
      const told = await portico.logged(/worker exceeded its deadline: GET \/\w+/, before)
      const where = new RegExp(`File ".*shop\\.py", line ${line} in ${name}`)
      expect(await portico.logged(where, before)).toMatchObject({ app: 'shop', pid: told.pid })
      await portico.logged(/worker died \(SIGKILL\)/, before)
      await until('a new worker', async () => {
        const { workers = [], connected } = (await portico.status()).apps.shop ?? {}
        return connected === 2 && workers.every(({ pid }) => pid !== told.pid)
      })
    }
    expect((await ask(portico.port, '/')).text).toBe('quick')
  },
  30_000,
)

test('under load, 504 is for those that sleep, and nobody waits behind them', async () => {
  const sleepy = `
import time
def application(environ, start_response):
    if "sleep" in environ["QUERY_STRING"]:
        time.sleep(60)
    start_response("200 OK", [("Content-Length", "5")])
    return [b"quick"]
`
  const yaml = site(1).replace('workers: 2', 'workers: 8').replace('deadline: 1s', 'deadline: 2s')
  await using portico = await Portico.serve({ 'site.yaml': yaml, 'shop.py': sleepy })
  await portico.settled()
  // One a second: it may be in the hands of two workers, behind another request and by itself.
  const sleepers = new Set<number>()
  let nextAt = performance.now() + 1_000
  const since = new Map<number, number>()
  const wrong: string[] = []
  let longest = 0
  let overdue = 0
  await using load = new Load(portico.port, {
    kept: 16,
    fresh: 0,
    request: (n) => {
      const now = performance.now()
      since.set(n, now)
      if (now > nextAt) {
        nextAt = now + 1_000
        sleepers.add(n)
      }
      return `GET /${sleepers.has(n) ? '?sleep' : ''} HTTP/1.1\r\nHost: localhost\r\n\r\n`
    },
    answered: (n, status) => {
      const took = performance.now() - since.get(n)!
      since.delete(n)
      if (sleepers.has(n)) {
        overdue++
        if (status !== 504 || took > 4_000) wrong.push(`${n} slept: ${status} after ${took} ms`)
      } else {
        longest = Math.max(longest, took)
        if (status !== 200) wrong.push(`${n}: ${status} after ${took} ms`)
      }
    },
  })
  await until('sleepers', () => overdue >= 8, 25_000)
  const { lost } = await load.stop()
  expect(lost).toEqual([])
  expect(wrong).toEqual([])
  // They are taken back within two ticks of the clock; a busy machine needs some time, too.
  expect(longest).toBeLessThan(1_900)
}, 45_000)
