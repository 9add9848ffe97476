/** Each kind of process killed (-9): what comes back by itself, and what must not be left. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask } from './support/visitor.ts'

const FILES = {
  'site.yaml': `
listen: "127.0.0.1:0"
threads: 2
routes: { "/": { app: shop }, "/ping": { respond: pong } }
apps: { shop: { python: shop, interpreter: ${PYTHON}, workers: 2 } }
`,
  'shop.py': `
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "6")])
    return [b"served"]
`,
}

test('the server process, under load: visitors are answered again within a second', async () => {
  await using portico = await Portico.serve(FILES)
  const before = await portico.settled()
  await using load = new Load(portico.port, { kept: 6, fresh: 2 })
  await until('load', () => load.answered > 200)
  const killedAt = performance.now()
  kill(before.server.pid)
  await until('the next answer of the application', async () => {
    const reply = await ask(portico.port, '/').catch(() => undefined)
    return reply?.status === 200
  })
  const away = performance.now() - killedAt
  const answered = load.answered
  await until('load', () => load.answered > answered + 200)
  const { lost, statuses } = await load.stop()
  // What it had in hand is lost with it: at most one request a visitor.
  expect(lost.length).toBeLessThanOrEqual(8)
  expect(lost.filter((how) => /REFUSED|no answer/.test(how))).toEqual([])
  expect(Object.keys(statuses)).toEqual(['200'])
  const after = await portico.settled()
  expect(after.server.pid).not.toBe(before.server.pid)
  expect(after.server.restarts).toBe(1)
  // The applications go on: their workers connect to the new server.
  expect(after.apps.shop?.workers).toMatchObject(
    before.apps.shop?.workers.map(({ pid }) => ({ pid })) ?? [],
  )
  await portico.logged(/the server process died \(SIGKILL\); starting it again at once/)
  expect(away).toBeLessThan(1_000)
})

test('the supervisor: nothing of the site outlives it, and it can be started again at once', async () => {
  await using portico = await Portico.serve(FILES)
  await portico.settled()
  expect(portico.processes()).toHaveLength(5)
  portico.signal('SIGKILL')
  await portico.exited
  await until('all processes to end', () => portico.processes().length === 0, 3_000)
  await using again = await Portico.serve({
    ...FILES,
    'site.yaml': FILES['site.yaml'].replace('127.0.0.1:0', `127.0.0.1:${portico.port}`),
  })
  expect((await ask(again.port, '/')).text).toBe('served')
})

test('the warm parent: its workers end with it, and the application comes back', async () => {
  await using portico = await Portico.serve(FILES)
  const { parent, workers } = (await portico.settled()).apps.shop ?? { parent: 0, workers: [] }
  await using load = new Load(portico.port, { kept: 2, fresh: 1, request: () => PING })
  kill(parent)
  await portico.logged(/the warm parent of shop died \(SIGKILL\)/)
  expect((await ask(portico.port, '/')).text).toBe('served')
  const { parent: next } = (await portico.settled()).apps.shop ?? {}
  expect(next).not.toBe(parent)
  const pids = portico.processes().map(({ pid }) => pid)
  expect(
    pids.filter((pid) => pid === parent || workers.some((worker) => worker.pid === pid)),
  ).toEqual([])
  expect(portico.processes()).toHaveLength(5)
  const { lost, statuses } = await load.stop()
  expect(lost).toEqual([])
  expect(Object.keys(statuses)).toEqual(['200'])
})

const PING = 'GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n'

test('the server process, again and again: it keeps coming back', async () => {
  await using portico = await Portico.serve(FILES)
  await portico.settled()
  for (let i = 0; i < 3; i++) {
    kill((await portico.status()).server.pid)
    await sleep(50)
    expect((await ask(portico.port, '/ping')).text).toBe('pong')
  }
  expect((await portico.settled()).server.restarts).toBe(3)
  expect((await ask(portico.port, '/')).text).toBe('served')
}, 30_000)
