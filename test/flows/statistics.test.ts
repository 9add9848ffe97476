/** What a running site tells of itself: counts, requests in hand, metrics, uWSGI's stats, StatsD. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RouteDetails } from '../../src/server/protocol.ts'
import { countOf } from '../../src/stats/histograms.ts'
import type { UwsgiStats } from '../../src/stats/uwsgi.ts'
import type { RequestsStatus, SiteStatus } from '../../src/supervisor/status.ts'
import { parseOpenMetrics } from '../stats/parse.ts'
import { until } from '../supervisor/site.ts'
import { servePhp, USER } from './support/php.ts'
import { Portico, portico as run } from './support/portico.ts'
import { kill } from './support/processes.ts'
import { talk } from './support/talk.ts'
import { ask, Visitor } from './support/visitor.ts'

const SHOP = `
import os, time
def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/wait':
        while not os.path.exists('go'): time.sleep(0.01)
    if path == '/sleep': time.sleep(0.03)
    if path == '/boom': raise RuntimeError('boom')
    if path == '/exit': os._exit(3)
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'x' * 100]
`

const FETCH = `export default { fetch: () => new Response('from a thread') }\n`
const HTTP = `
import { createServer } from 'node:http'
createServer((request, response) => {
  if (request.url === '/http/hang') return
  response.end('from a server')
}).listen(8000)
`

const CHAT = `
async def application(scope, receive, send):
    if scope['type'] != 'websocket': return
    await receive()
    await send({'type': 'websocket.accept'})
    while (message := await receive())['type'] == 'websocket.receive':
        await send({'type': 'websocket.send', 'text': message['text']})
`

const MORE = `
hosts:
  "*": { /chat: { app: chat } }
  other: { /stuck: { app: stuck } }
apps:
  chat: { python: "chat:application", mode: asgi, workers: 1 }
  stuck: { python: "stuck:application", workers: 1, deadline: 200ms }
`

const site = (more = ''): string => `
listen: "127.0.0.1:0"
threads: 2
log: { access: off }
routes:
  /metrics: { metrics: true }
  /fixed: { respond: pong }
  /fetch/: { app: fetch }
  /http/: { app: http }
  ~^/old/: { redirect: / }
  /: { app: shop }
apps:
  shop: { python: "shop:application", workers: 2, deadline: 20s }
  fetch: { node: ./fetch.ts, run: threads }
  http: { node: ./http.ts, workers: 1 }
${more}`

const files = { 'shop.py': SHOP, 'fetch.ts': FETCH, 'http.ts': HTTP }

let portico: Portico
let statsd: ReturnType<typeof createSocket>
const pushed: string[] = []

beforeAll(async () => {
  statsd = createSocket('udp4')
  statsd.on('message', (datagram) => pushed.push(...datagram.toString().split('\n')))
  statsd.bind(0, '127.0.0.1')
  await once(statsd, 'listening')
  const stats = `stats: { uwsgi: ./stats.sock, statsd: "127.0.0.1:${statsd.address().port}", every: 100ms, prefix: web1 }\n`
  portico = await Portico.serve({
    ...files,
    'site.yaml': site(stats.replace('./stats.sock', 'unix:./stats.sock')),
  })
  await until('every worker', async () => {
    const { apps } = await portico.status()
    return apps.shop?.connected === 2 && apps.http?.connected === 1
  })
}, 40_000)

afterAll(async () => {
  await portico[Symbol.asyncDispose]()
  statsd.close()
})

function route(status: SiteStatus, path: string): RouteDetails {
  const found = status.routes.find((one) => one.path === path)
  if (found === undefined) throw new Error(`no route ${path}`)
  return found
}

async function requests(...more: readonly string[]): Promise<RequestsStatus> {
  const { out } = await portico.run('status', '--requests', '--json', ...more)
  return JSON.parse(out)
}

describe('counts', () => {
  test('are told of each application, worker and route, and survive a reload', async () => {
    using visitor = await Visitor.to(portico.port)
    for (let i = 0; i < 5; i++) await visitor.ask('/sleep')
    expect((await visitor.ask('/boom')).status).toBe(500)
    for (let i = 0; i < 3; i++) await visitor.ask('/fetch/')
    for (let i = 0; i < 2; i++) await visitor.ask('/http/')
    await visitor.ask('/fixed')
    await visitor.ask('/old/x')
    await ask(portico.port, '/x', { fields: { Host: 'a b' } })
    const before = await portico.status()
    const { shop, fetch, http } = before.apps
    expect(shop).toMatchObject({ requests: 6, errors: 1, waiting: 0, restarts: 0 })
    expect(countOf(shop!.served)).toBe(6)
    expect(shop!.served.sumMs).toBeGreaterThan(150)
    const sum = (key: 'requests' | 'errors' | 'runMs' | 'sent'): number =>
      shop!.workers.reduce((total, worker) => total + worker[key], 0)
    expect([sum('requests'), sum('errors'), sum('sent')]).toEqual([6, 1, 500])
    expect(sum('runMs')).toBeCloseTo(shop!.served.sumMs, 3)
    for (const worker of shop!.workers) {
      expect(worker.rss).toBeGreaterThan(1_000_000)
      expect(worker.vsz).toBeGreaterThanOrEqual(worker.rss)
    }
    expect(fetch).toMatchObject({ requests: 3, errors: 0, runs: 'threads' })
    expect(countOf(fetch!.served)).toBe(3)
    expect(http).toMatchObject({ requests: 2, errors: 0 })
    expect(http?.workers[0]).toMatchObject({ requests: 2 })
    expect(route(before, '/')).toMatchObject({ requests: 6, errors: 1, active: 0, app: 'shop' })
    expect(route(before, '/').took.sumMs).toBeGreaterThan(150)
    expect(route(before, '/fetch/')).toMatchObject({ requests: 3, sent: 39, app: 'fetch' })
    expect(route(before, '/fixed')).toMatchObject({ requests: 1, sent: 4, app: '' })
    expect(route(before, '~^/old/')).toMatchObject({ requests: 1 })

    expect((await portico.run('reload')).code).toBe(0)
    using another = await Visitor.to(portico.port)
    await another.ask('/sleep')
    await another.ask('/fetch/')
    const counted = async (): Promise<readonly (number | undefined)[]> => {
      const { apps, routes, draining } = await portico.status()
      const took = routes.filter(({ path }) => path === '/').map(({ requests }) => requests)
      return [
        draining.length,
        apps.shop?.requests,
        apps.shop?.errors,
        apps.fetch?.requests,
        ...took,
      ]
    }
    // While the old generation drains, and after it has gone.
    expect((await counted()).slice(1)).toEqual([7, 1, 4, 7])
    visitor.leave()
    await until('the old generation to end', async () => (await counted())[0] === 0)
    expect(await counted()).toEqual([0, 7, 1, 4, 7])
  }, 30_000)

  test('of time in the queue: only those that waited are noted', async () => {
    const waited = async (): Promise<number> => {
      const { apps } = await portico.status()
      return countOf(apps.shop!.waited)
    }
    const before = await waited()
    await Promise.all(Array.from({ length: 8 }, () => ask(portico.port, '/sleep')))
    const after = await waited()
    expect(after - before).toBeGreaterThanOrEqual(4)
    expect(after - before).toBeLessThanOrEqual(7)
    const { apps } = await portico.status()
    expect(apps.shop!.waited.sumMs).toBeGreaterThan(30)
  })

  test('of restarts have their reason, and the last one says how', async () => {
    const { apps } = await portico.status()
    const [worker] = apps.shop!.workers
    kill(worker!.pid, 'SIGSEGV')
    await until('a new worker', async () => {
      const shop = (await portico.status()).apps.shop
      return shop?.reasons.signal === 1 && shop.workers.length === 2
    })
    expect((await ask(portico.port, '/exit')).status).toBe(502)
    const status = await until('another', async () => {
      const now = await portico.status()
      return now.apps.shop?.reasons.exit === 1 && now.apps.shop.workers.length === 2 && now
    })
    expect(status.apps.shop).toMatchObject({ restarts: 2, reasons: { signal: 1, exit: 1 } })
    const hows = status.apps.shop!.workers.map(({ lastRestart }) => lastRestart?.how)
    expect(hows).toContain('exit code 3')
    const { out } = await portico.run('status')
    expect(out).toMatch(/shop .* 2 \(1 signal, 1 exit\)/)
    expect(out).toMatch(/ exit \(exit code 3\)/)
  })
})

test('a service is counted as a whole, a deadline is a reason, a WebSocket is no long request', async () => {
  const host = { fields: { Host: 'other' } }
  await using site = await servePhp(
    {
      'www/index.php': '<?php usleep(20000); echo "hello";',
      'more.yaml': MORE,
      'chat.py': CHAT,
      'stuck.py': 'def application(environ, start_response):\n    while True: pass\n',
    },
    {
      site: `${USER}
stats: { uwsgi: "127.0.0.1:0" }
include: more.yaml`,
    },
    // A Python that PHP's user may run.
    { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
  )
  for (let i = 0; i < 3; i++) await ask(site.port, '/')
  expect((await ask(site.port, '/stuck', host)).status).toBe(504)
  const { socket, heard } = await talk(`ws://127.0.0.1:${site.port}/chat`)
  socket.send('x')
  await heard(1)
  socket.close()
  const told = await until('all', async () => {
    const { apps, routes } = await site.status()
    const chat = routes.find(({ path }) => path === '/chat')
    return apps.stuck?.reasons.deadline === 1 && chat?.requests === 1 && { apps, chat }
  })
  const { blog, chat } = told.apps
  expect(blog).toMatchObject({ requests: 3, errors: 0, runs: 'service' })
  expect(blog!.served.sumMs).toBeGreaterThan(60)
  expect(chat).toMatchObject({ requests: 1 })
  expect([countOf(chat!.served), countOf(told.chat.took)]).toEqual([0, 0])
  const { message } = await site.logged(/uWSGI's stats on/)
  const { workers } = JSON.parse((await ask(Number(message.split(':').at(-1)), '/')).text)
  expect(workers[0]).toMatchObject({ requests: 3, pid: blog!.parent, status: 'idle' })
}, 30_000)

describe('requests in hand', () => {
  test('are listed with their worker and their age, without their query', async () => {
    using one = await Visitor.to(portico.port)
    using other = await Visitor.to(portico.port)
    const waiting = one.ask('/wait?token=secret')
    // The oldest is first.
    await until('the first', async () => (await requests()).total === 1)
    const hanging = other.ask('/http/hang')
    hanging.catch(() => {})
    const { apps } = await portico.status()
    const listed = await until('both', async () => {
      const list = await requests()
      return list.requests.filter(({ pid }) => pid > 0).length === 2 && list
    })
    expect(listed.total).toBe(2)
    const [first, second] = listed.requests
    expect(first).toMatchObject({
      method: 'GET',
      target: '/wait',
      app: 'shop',
      route: { host: '*', path: '/' },
      peer: '127.0.0.1',
      status: 0,
      sent: 0,
    })
    expect(apps.shop?.workers.map(({ pid }) => pid)).toContain(first?.pid)
    expect(second).toMatchObject({ target: '/http/hang', pid: apps.http?.workers[0]?.pid })
    expect((await requests('--queries')).requests[0]?.target).toBe('/wait?token=secret')
    expect((await portico.run('status', '--requests')).out).toMatch(/shop +\d+ +127\.0\.0\.1 +GET/)
    const admin = portico.log.find((line) => line.admin !== undefined)!.admin!
    expect(JSON.parse((await ask(admin, '/requests?most=1')).text)).toMatchObject({
      total: 2,
      requests: [{ target: '/wait' }],
    })
    expect((await ask(admin, '/requests?most=0')).status).toBe(400)
    expect((await ask(admin, '/requests', { method: 'POST', body: '' })).status).toBe(405)
    const busy = await stats()
    expect(busy.workers.filter(({ status }) => status === 'busy').length).toBe(2)
    expect(
      busy.workers.flatMap(({ cores }) => cores).filter((core) => core.in_request),
    ).toHaveLength(2)
    portico.write('go', '')
    await waiting
    other.leave()
    await until('none to be left', async () => (await requests()).total === 0)
  })
})

/** What uWSGI's stats server tells. */
async function stats(): Promise<UwsgiStats> {
  const socket = connect(join(portico.folder, 'stats.sock'))
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'end')
  socket.destroy()
  return JSON.parse(text)
}

describe('monitors', () => {
  test('scrape OpenMetrics over HTTP, from a route', async () => {
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => ask(portico.port, '/metrics')),
    )
    for (const { status, fields, text } of replies) {
      expect(status).toBe(200)
      expect(fields['content-type']).toBe(
        'application/openmetrics-text; version=1.0.0; charset=utf-8',
      )
      const families = parseOpenMetrics(text)
      const shop = families.find(({ name }) => name === 'portico_app_requests')
      expect(shop?.samples[0]).toMatchObject({ labels: { app: 'shop' } })
    }
    expect((await ask(portico.port, '/metrics', { method: 'HEAD' })).status).toBe(200)
    expect((await ask(portico.port, '/metrics', { method: 'POST', body: 'x' })).status).toBe(405)
  })

  test('read uWSGI’s stats from a socket, plain or over HTTP, whatever they send', async () => {
    const path = join(portico.folder, 'stats.sock')
    expect(statSync(path).mode & 0o777).toBe(0o660)
    const { workers, pid } = await stats()
    expect(pid).toBe(portico.pid)
    expect(workers.length).toBe(4)
    const { status, fields, text } = await ask(path, '/')
    expect([status, fields['content-type']]).toEqual([200, 'application/json'])
    expect(JSON.parse(text).workers.length).toBe(4)
    const sent = ['HELLO', 'G', `GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}`, '\0\0\0\0']
    for (const bytes of sent) {
      const socket = connect(path)
      socket.on('error', () => {})
      socket.resume()
      socket.end(bytes, 'latin1')
      await once(socket, 'close')
    }
    expect((await stats()).workers.length).toBe(4)
  })

  test('are told by StatsD what came since', async () => {
    pushed.length = 0
    using visitor = await Visitor.to(portico.port)
    for (let i = 0; i < 4; i++) await visitor.ask('/fixed')
    await until('the requests', () => {
      const counted = pushed.flatMap((line) => {
        const [, count] = /^web1\.route\.any\.fixed\.requests:(\d+)\|c$/.exec(line) ?? []
        return count === undefined ? [] : [Number(count)]
      })
      return counted.reduce((sum, count) => sum + count, 0) === 4
    })
    expect(pushed).toContain('web1.app.shop.up:1|g')
  })

  test('are told elsewhere after a reload; an address that is taken stops no site', async () => {
    const old = join(portico.folder, 'stats.sock')
    const admin = portico.log.find((line) => line.admin !== undefined)!.admin!
    portico.write('site.yaml', site('stats: { uwsgi: "127.0.0.1:0" }\n'))
    expect((await portico.run('reload')).code).toBe(0)
    const { message } = await portico.logged(/uWSGI's stats on 127/)
    const port = Number(message.split(':').at(-1))
    expect(JSON.parse((await ask(port, '/')).text).pid).toBe(portico.pid)
    expect(existsSync(old)).toBe(false)
    portico.write('site.yaml', site(`stats: { uwsgi: "127.0.0.1:${portico.port}" }\n`))
    expect((await portico.run('reload')).code).toBe(0)
    await portico.logged(/stats\.uwsgi: .*EADDRINUSE/)
    expect((await ask(portico.port, '/fixed')).text).toBe('pong')
    expect((await run(['status', '--admin', admin, '--json'])).code).toBe(0)
  })
})
