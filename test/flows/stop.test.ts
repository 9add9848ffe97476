/** Stopping: what is in hand is answered, newcomers are refused, and nothing holds it up for ever. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { until } from '../supervisor/site.ts'
import { Load } from './support/load.ts'
import { Portico, PYTHON } from './support/portico.ts'
import { ask, CutShort, Visitor } from './support/visitor.ts'

const site = (stop: string): Record<string, string> => ({
  'site.yaml': `
listen: "127.0.0.1:0"
routes: { "/": { app: shop } }
apps: { shop: { python: shop, interpreter: ${PYTHON}, workers: 2 } }
timeouts: { stop: ${stop} }
`,
  'shop.py': `
import time

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    seconds = float(environ["QUERY_STRING"] or 0)
    if environ["PATH_INFO"] == "/stream":
        return stream(seconds)
    time.sleep(seconds)
    return [b"slept"]

def stream(seconds):
    for _ in range(4):
        yield b"x" * 1000
        time.sleep(seconds / 4)
`,
})

test.each(['SIGTERM', 'SIGINT', 'SIGQUIT'] as const)(
  '%s while requests are in flight',
  async (signal) => {
    await using portico = await Portico.serve(site('10s'))
    await portico.settled()
    using idle = await Visitor.to(portico.port)
    expect((await idle.ask('/')).text).toBe('slept')
    const slow = ask(portico.port, '/?1.5')
    const stream = ask(portico.port, '/stream?1.5')
    await sleep(200)
    const startedAt = performance.now()
    portico.signal(signal)
    await portico.logged(/^stopping: signal/)
    await until(
      'newcomers to be refused',
      () =>
        Visitor.to(portico.port).then(
          (late) => late.leave(),
          (error: NodeJS.ErrnoException) => error.code === 'ECONNREFUSED',
        ),
      700,
    )
    expect(await slow).toMatchObject({
      status: 200,
      text: 'slept',
      fields: { connection: 'close' },
    })
    expect((await stream).body).toHaveLength(4000)
    // A visitor with a kept-alive connection may be sending: it gets its answer, and is told to leave.
    expect((await idle.ask('/')).fields).toMatchObject({ connection: 'close' })
    idle.leave()
    expect(await portico.exited).toEqual({ code: 0, signal: null })
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect(portico.processes()).toEqual([])
  },
)

test('idle connections do not hold up a stop', async () => {
  await using portico = await Portico.serve(site('30s'))
  const idle = await Promise.all(Array.from({ length: 20 }, () => Visitor.to(portico.port)))
  await Promise.all(idle.slice(0, 10).map((visitor) => visitor.ask('/')))
  const startedAt = performance.now()
  expect(await portico.run('stop')).toMatchObject({ code: 0 })
  expect(await portico.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - startedAt).toBeLessThan(7_500)
  await Promise.all(idle.map((visitor) => visitor.end()))
}, 20_000)

test('a request longer than the bound does not hold up a stop', async () => {
  await using portico = await Portico.serve(site('1s'))
  await portico.settled()
  const endless = ask(portico.port, '/?60').catch((error: unknown) => error)
  await sleep(200)
  const startedAt = performance.now()
  portico.signal('SIGTERM')
  expect(await portico.exited).toEqual({ code: 0, signal: null })
  const took = performance.now() - startedAt
  expect(took).toBeGreaterThan(900)
  expect(took).toBeLessThan(4_000)
  expect(await endless).toBeInstanceOf(CutShort)
  expect(portico.processes()).toEqual([])
})

test('a reload that is under way is given up, which is no failure of it', async () => {
  const files = site('5s')
  await using portico = await Portico.serve(files)
  portico.write('shop.py', `import time\ntime.sleep(60)\n${files['shop.py']}`)
  portico.signal('SIGHUP')
  await portico.logged(/^reloading/)
  portico.signal('SIGTERM')
  await portico.logged(/^the reload is given up: the site is to stop$/)
  await portico.exited
  expect(portico.log.filter(({ level }) => level === 'error')).toEqual([])
  expect(portico.processes()).toEqual([])
})

test('a second signal stops at once', async () => {
  await using portico = await Portico.serve(site('30s'))
  await portico.settled()
  const endless = ask(portico.port, '/?60').catch((error: unknown) => error)
  await sleep(200)
  portico.signal('SIGTERM')
  await portico.logged(/^stopping/)
  const startedAt = performance.now()
  portico.signal('SIGTERM')
  await portico.exited
  expect(performance.now() - startedAt).toBeLessThan(1_500)
  expect(await endless).toBeInstanceOf(CutShort)
  expect(portico.processes()).toEqual([])
})

test('under load: whoever was heard is answered', async () => {
  await using portico = await Portico.serve(site('10s'))
  await portico.settled()
  await using load = new Load(portico.port, { kept: 8, fresh: 0, request: () => SHORT })
  await until('load', () => load.answered > 300)
  portico.signal('SIGTERM')
  expect(await portico.exited).toEqual({ code: 0, signal: null })
  const { lost, statuses } = await load.stop()
  // Visitors that were told to leave come again and are refused, or meet the closing socket.
  expect(lost.filter((how) => !/REFUSED before|after "" on a new conn/.test(how))).toEqual([])
  expect(Object.keys(statuses)).toEqual(['200'])
})

const SHORT = 'GET /short HTTP/1.1\r\nHost: localhost\r\n\r\n'
