/** Workers killed (-9) under load: only what they had in hand fails, and nothing is done twice. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const site = (threads: number): string => `
listen: "127.0.0.1:0"
threads: 2
routes: { "/": { app: shop } }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 3, threads: ${threads} }
`

// An order is one line, written in one piece: what was written, was done.
const APP = `
import os, time

orders = os.open("orders", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def application(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        os.write(orders, (environ["QUERY_STRING"] + "\\n").encode())
        time.sleep(0.002)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
`

const KILLS = 50

test.each([1, 4])(
  'every 100 ms for 5 s, %d threads a worker',
  async (threads) => {
    await using portico = await Portico.serve({ 'site.yaml': site(threads), 'shop.py': APP })
    await portico.settled()
    const orders = new Map<number, number>()
    await using load = new Load(portico.port, {
      kept: 8,
      fresh: 2,
      request: (n) =>
        `${n % 2 ? 'POST' : 'GET'} /?${n} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`,
      answered: (n, status) => {
        if (n % 2) orders.set(n, status)
      },
    })
    const parent = (await portico.status()).apps.shop?.parent ?? 0
    let killed = 0
    for (let i = 0; i < KILLS; i++) {
      const workers = portico.processes().filter((process) => process.parent === parent)
      const victim = workers[i % workers.length]
      if (victim !== undefined && kill(victim.pid)) killed++
      await sleep(100)
    }
    const { sent, answered, lost, statuses } = await load.stop()
    expect(lost).toEqual([])
    expect(answered).toBe(sent)
    expect(killed).toBeGreaterThan(KILLS * 0.7)
    expect(Object.keys(statuses).filter((status) => status !== '200' && status !== '502')).toEqual(
      [],
    )
    // What a killed worker had in hand: one request for each of its threads.
    expect(statuses[502] ?? 0).toBeLessThanOrEqual(killed * threads)
    expect(statuses[200] ?? 0).toBeGreaterThan(1_000)

    const done = readFileSync(join(portico.folder, 'orders'), 'utf8').trim().split('\n').map(Number)
    const executed = new Set(done)
    expect(executed.size, 'an order was executed twice').toBe(done.length)
    const confirmed = [...orders].filter(([, status]) => status === 200).map(([n]) => n)
    const missing = confirmed.filter((n) => !executed.has(n))
    expect(missing, 'an order was confirmed and not executed').toEqual([])

    const status = await portico.settled()
    expect(status.apps.shop).toMatchObject({ state: 'running', connected: 3 })
    expect(status.apps.shop?.restarts).toBeGreaterThan(KILLS * 0.5)
    expect(portico.messages).toMatch(/worker died \(SIGKILL\)/)
  },
  40_000,
)

test('an application that ends its own process: 502 for that request alone', async () => {
  const suicidal = APP.replace(
    'if environ',
    'if "die" in environ["QUERY_STRING"]: os._exit(3)\n    if environ',
  )
  await using portico = await Portico.serve({ 'site.yaml': site(1), 'shop.py': suicidal })
  await portico.settled()
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) => ask(portico.port, i === 4 ? '/?die' : '/')),
  )
  expect(answers.map(({ status }) => status)).toEqual(
    Array.from({ length: 12 }, (_, i) => (i === 4 ? 502 : 200)),
  )
  await portico.logged(/worker died \(exit code 3\)/)
  await until('all workers again', async () => (await portico.status()).apps.shop?.connected === 3)
})
