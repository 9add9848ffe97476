/** Health checks of a busy site, of a broken one, and of one that is being stopped; urgent requests. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask, type Reply, Visitor } from './support/visitor.ts'

const APP = `import os, time

def application(environ, start_response):
    path = environ["PATH_INFO"]
    while path == "/held" and not os.path.exists("let-go"):
        time.sleep(0.02)
    start_response("200 OK", [])
    return [b"fine"]
`

const site = (more = ''): string => `
listen: "127.0.0.1:0"
threads: 1
routes:
  /: { app: shop }
  /up/: { app: shop, priority: high }
  /healthz: { health: [shop, broken] }
  /shop: { health: shop }
  /all: { health: all, leave: false }
  /live: { health: live }
apps:
  shop: { python: shop, interpreter: ${PYTHON}, workers: 1, queue: 3, deadline: { queue: 20s } }
  broken: { python: broken, interpreter: ${PYTHON}, workers: 1 }
${more}`

const FILES = { 'shop.py': APP, 'broken.py': 'raise RuntimeError("on purpose")\n' }

function told({ text }: Reply): { status: string; why?: string[] } {
  return JSON.parse(text)
}

test('a full queue and a broken application are told at once; urgent requests pass', async () => {
  await using portico = await Portico.serve({ ...FILES, 'site.yaml': site() })
  const { port } = portico
  await until('the shop', async () => (await ask(port, '/shop')).status === 200)
  const broken = await ask(port, '/healthz')
  expect([broken.status, told(broken).why]).toEqual([503, ['broken: it did not load']])
  expect(broken.text).not.toMatch(/on purpose/)
  expect((await ask(port, '/live')).status).toBe(200)

  const held = ask(port, '/held')
  await until('a busy worker', async () => (await portico.status()).apps.shop?.busy === 1)
  const waiting = [1, 2, 3].map(() => ask(port, '/'))
  const full = await until('the full queue', async () => {
    const reply = await ask(port, '/shop')
    return reply.status === 503 && reply
  })
  expect(told(full).why).toEqual(['shop: its queue is full'])
  const began = performance.now()
  expect((await ask(port, '/live')).status).toBe(200)
  const refused = await ask(port, '/')
  expect([refused.status, Number(refused.fields['retry-after'])]).toEqual([503, expect.any(Number)])
  expect(Number(refused.fields['retry-after'])).toBeGreaterThanOrEqual(1)
  expect(performance.now() - began).toBeLessThan(1_000)

  const order: string[] = []
  const noted = (name: string, reply: Promise<Reply>): Promise<Reply> =>
    reply.finally(() => order.push(name))
  const all = [
    ...waiting.map((reply) => noted('other', reply)),
    noted('urgent', ask(port, '/up/date')),
  ]
  await sleep(100)
  portico.write('let-go', '')
  for (const reply of [held, ...all]) expect((await reply).status).toBe(200)
  expect(order[0]).toBe('urgent')
  await until('the shop', async () => (await ask(port, '/shop')).status === 200)
}, 60_000)

test('at a stop balancers are sent away while visitors are still served', async () => {
  await using portico = await Portico.serve({
    'shop.py': APP,
    'site.yaml': site('timeouts: { leave: 1s }\n').replace(/^.*broken.*$/gm, ''),
  })
  await until('the shop', async () => (await ask(portico.port, '/shop')).status === 200)
  using kept = await Visitor.to(portico.port)
  expect((await kept.ask('/shop')).status).toBe(200)
  // A reload is no reason to leave: whoever comes next is served.
  expect((await portico.run('reload')).code).toBe(0)
  expect((await kept.ask('/shop')).status).toBe(200)

  const { port } = portico
  portico.signal('SIGTERM')
  const began = performance.now()
  const leaving = await until('a check that fails', async () => {
    const reply = await ask(port, '/shop')
    return reply.status === 503 && reply
  })
  expect(told(leaving).why).toEqual(['the site is being stopped'])
  expect((await ask(port, '/all')).status).toBe(200)
  expect((await ask(port, '/')).text).toBe('fine')
  expect(await portico.exited).toMatchObject({ code: 0 })
  expect(performance.now() - began).toBeGreaterThan(900)
}, 60_000)

test('who is in a hurry does not wait for balancers', async () => {
  await using portico = await Portico.serve({
    'site.yaml':
      'listen: "127.0.0.1:0"\nroutes: { /: { health: live } }\ntimeouts: { leave: 1h }\n',
  })
  portico.signal('SIGTERM')
  await until('a check that fails', async () => (await ask(portico.port, '/')).status === 503)
  portico.signal('SIGTERM')
  expect(await portico.exited).toMatchObject({ code: 0 })
}, 30_000)
