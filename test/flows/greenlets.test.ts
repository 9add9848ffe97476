/** WSGI in greenlets of gevent and of eventlet: one worker, many requests that wait. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { APPS, Portico, PYTHON, run } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { ask, Visitor } from './support/visitor.ts'

const site = (mode: string, more = ''): string => `
listen: "127.0.0.1:0"
threads: 2
limits: { body: 64MB }
routes: { /: { app: waits }, /flask/: { app: flask } }
apps:
  waits: { python: greenlets, dir: ${APPS}, interpreter: ${PYTHON}, mode: ${mode}, workers: 1${more} }
  flask: { python: flask_contract, dir: ${APPS}, interpreter: ${PYTHON}, mode: ${mode}, workers: 1 }
`

/** How long `count` requests at once take, s, and their answers. */
async function together(port: number, path: string, count: number): Promise<[number, string[]]> {
  const began = performance.now()
  const replies = await Promise.all(Array.from({ length: count }, () => ask(port, path)))
  return [(performance.now() - began) / 1000, replies.map(({ text }) => text)]
}

describe.each(['gevent', 'eventlet'])('%s', (mode) => {
  let portico: Portico
  let port: number
  beforeAll(async () => {
    portico = await Portico.serve({ 'site.yaml': site(mode) })
    await portico.settled()
    port = portico.port
  }, 60_000)
  afterAll(() => portico[Symbol.asyncDispose]())

  test('200 requests that sleep half a second are done in about one', async () => {
    const [seconds, bodies] = await together(port, '/sleep?0.5', 200)
    expect(bodies).toEqual(Array(200).fill('slept'))
    expect(seconds).toBeLessThan(1.5)
    expect((await ask(port, '/mode')).text).toBe('multithread 1')
  })

  test('sockets give way: 50 requests wait for a slow upstream at once', async () => {
    const upstream = createServer((_request, response) => {
      setTimeout(() => response.end('from upstream'), 500)
    })
    await new Promise<void>((done) => upstream.listen(0, '127.0.0.1', done))
    const { port: up } = upstream.address() as AddressInfo
    const [seconds, bodies] = await together(port, `/fetch?${up}`, 50)
    upstream.close()
    expect(bodies).toEqual(Array(50).fill('from upstream'))
    expect(seconds).toBeLessThan(2)
  })

  test('so do child processes', async () => {
    const [seconds, bodies] = await together(port, '/run', 5)
    expect(bodies).toEqual(Array(5).fill('ran\n'))
    expect(seconds).toBeLessThan(1)
  })

  test('streams, each piece as it comes, beside others', async () => {
    const [first, ...others] = await Promise.all([
      ask(port, '/steps'),
      ...Array.from({ length: 20 }, () => ask(port, '/steps')),
    ])
    expect(first?.chunks.length).toBe(5)
    expect(first!.chunks.at(-1)! - first!.chunks[0]!).toBeGreaterThan(300)
    for (const { text } of [first!, ...others]) expect(text).toBe('0;1;2;3;4;')
  })

  test('large bodies both ways, several at once; a slow reader holds up nobody', async () => {
    const bodies = Array.from({ length: 3 }, () => randomBytes(20_000_000))
    const digests = await Promise.all(bodies.map((body) => ask(port, '/digest', { body })))
    expect(digests.map(({ text }) => text)).toEqual(
      bodies.map((body) => createHash('sha256').update(body).digest('hex')),
    )
    using slow = await Visitor.to(port)
    slow.send('GET /large?400 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const large = await Promise.all([1, 2, 3].map(() => ask(port, '/large?300')))
    for (const { body } of large) expect(body.length).toBe(300 * 65_536)
    expect((await slow.reply()).body.length).toBe(400 * 65_536)
  }, 30_000)

  test('Flask', async () => {
    expect((await ask(port, '/flask/')).text).toBe('Hello from flask')
    expect((await ask(port, '/flask/stream')).text).toBe('0\n1\n2\n3\n4\n')
    expect((await ask(port, '/flask/error')).status).toBe(500)
    expect((await ask(port, '/flask/')).text).toBe('Hello from flask')
  })

  test('a killed worker: another one repeats what is safe to repeat, the rest fails', async () => {
    const methods = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? 'GET' : 'POST'))
    const before = (await portico.status()).apps.waits?.workers[0]?.pid ?? 0
    const asked = methods.map((method) => ask(port, '/sleep?1', { method }))
    await sleep(300)
    kill(before)
    const statuses = (await Promise.all(asked)).map(({ status }) => status)
    expect(statuses).toEqual(methods.map((method) => (method === 'GET' ? 200 : 502)))
    await until('another worker', async () => {
      const { workers, connected } = (await portico.status()).apps.waits!
      return connected === 1 && workers[0]?.pid !== before
    })
    expect((await ask(port, '/')).text).toBe('hello')
  })

  test('reloads under load lose nothing', async () => {
    await using load = new Load(port, {
      kept: 20,
      fresh: 5,
      request: (n) => `GET /sleep?0.0${n % 10} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    })
    for (let round = 0; round < 3; round++) {
      await sleep(200)
      expect(await portico.run('reload')).toMatchObject({ code: 0 })
    }
    const { sent, answered, lost, statuses } = await load.stop()
    expect(lost).toEqual([])
    expect(answered).toBe(sent)
    expect(Object.keys(statuses)).toEqual(['200'])
  }, 60_000)

  test.each([
    ['waits', '/sleep?60', /File ".*greenlets\.py", line \d+ in application/],
    ['is busy', '/busy', /File ".*greenlets\.py", line \d+ in busy/],
  ])(
    'past its deadline, what %s is shown, and the worker replaced',
    async (_, path, where) => {
      await using strict = await Portico.serve({ 'site.yaml': site(mode, ', deadline: 1s') })
      await strict.settled()
      expect((await ask(strict.port, path)).status).toBe(504)
      await strict.logged(/worker exceeded its deadline: GET/)
      await strict.logged(where)
      if (path !== '/busy') await strict.logged(/Greenlet of GET \/sleep, for \d/)
      await strict.logged(/worker died \(SIGKILL\)/)
      await until('another worker', async () => (await ask(strict.port, '/')).text === 'hello')
    },
    30_000,
  )
})

test('where the package is missing, the remedy is told', async () => {
  const venv = mkdtempSync(join(tmpdir(), 'portico-bare-'))
  onTestFinished(() => rmSync(venv, { recursive: true }))
  expect(await run(PYTHON, ['-m', 'venv', '--without-pip', venv])).toMatchObject({ code: 0 })
  await using bare = await Portico.serve({
    'hello.py': 'def application(e, s): pass\n',
    'site.yaml': `
listen: "127.0.0.1:0"
routes: { /: { app: hello } }
apps: { hello: { python: hello, mode: gevent, venv: ${venv}, workers: 1 } }
`,
  })
  await bare.logged(/`mode: gevent` needs the package gevent.*pip install gevent.*python3-gevent/)
})
