/** Forward auth: what the other server is told, what of its answer goes where, and that silence lets nobody in. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createPool, type Pool } from '../../src/balance/pool.ts'
import { forwardAuth } from '../../src/filters/auth/forward.ts'
import type { Exchange } from '../../src/request/exchange.ts'
import type { ForwardAuthPlan } from '../../src/site/filters-plan.ts'
import { Visitor } from '../flows/support/visitor.ts'
import { handler, OK } from '../gateways/http1/handlers.ts'
import { type Served, serve } from '../handlers/serve.ts'
import { until } from '../supervisor/site.ts'
import { poolPlan, target } from '../transports/front.ts'
import { filterHost } from './filter-host.ts'

const PLAN: ForwardAuthPlan = {
  pool: 'auth',
  path: '/verify',
  send: null,
  copy: ['Remote-User', 'X-Groups'],
  user: 'remote-user',
  answer: ['set-cookie'],
  timeoutMs: 500,
  satisfy: 'all',
}

let server: Server
let pool: Pool
let served: Served | null = null
let asked: IncomingMessage[] = []
let answer: (request: IncomingMessage, response: ServerResponse) => void
let seen: Exchange[] = []

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request)
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  asked = []
  seen = []
  answer = (_, response) => response.writeHead(200, { 'Remote-User': 'ann' }).end()
})
afterEach(() => {
  served?.close()
  pool.close()
})

async function open(more: Partial<ForwardAuthPlan> = {}, port?: number): Promise<Visitor> {
  pool = createPool(
    poolPlan([target(port ?? (server.address() as AddressInfo).port)], { preserveHost: true }),
  )
  const inner = handler((exchange) => {
    seen.push(exchange)
    const parts: Uint8Array[] = []
    exchange.receive({
      data: (chunk) => parts.push(Buffer.from(chunk)) > 0,
      end: () => exchange.respond(OK, Buffer.concat([Buffer.from('in '), ...parts])),
      abort: () => {},
    })
  })
  const host = filterHost({ serve: (_, exchange) => pool.serve(exchange) })
  served = await serve(forwardAuth({ ...PLAN, ...more }, inner, host))
  return Visitor.to(served.port)
}

test('the other server is told who asks for what, and gets no body', async () => {
  using visitor = await open()
  const fields = { Cookie: 'sid=1', 'X-Own': 'x', 'Content-Type': 'a/b' }
  const reply = await visitor.ask('/a%20b?c=d', { fields, body: 'x'.repeat(100_000) })
  expect([reply.status, reply.text.length]).toEqual([200, 100_003])
  const [request] = asked
  expect([request!.method, request!.url]).toEqual(['GET', '/verify'])
  expect(request!.headers).toMatchObject({
    cookie: 'sid=1',
    'x-own': 'x',
    'x-forwarded-method': 'POST',
    'x-forwarded-uri': '/a%20b?c=d',
    'x-forwarded-host': 'localhost',
    'x-forwarded-proto': 'http',
    'x-forwarded-for': '127.0.0.1',
    'x-original-uri': '/a%20b?c=d',
    'x-original-url': 'http://localhost/a%20b?c=d',
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
  })
  expect(request!.headers).not.toHaveProperty('content-type')
  expect(request!.headers).not.toHaveProperty('content-length')
})

test.each([
  ['/open/../admin?a=/../b', '/admin?a=/../b'],
  ['/open/%2E%2e%2Fadmin', '/admin'],
  ['/open/./a%20b', '/open/a%20b'],
  ['/open/..a/.b?..', '/open/..a/.b?..'],
])('who asks and who answers are told of the same path: %s is %s', async (target, told) => {
  using visitor = await open()
  await visitor.ask(target)
  expect(asked[0]!.headers['x-forwarded-uri']).toBe(told)
  expect(asked[0]!.headers['x-original-url']).toBe(`http://localhost${told}`)
  expect([seen[0]!.line.origin, seen[0]!.line.target]).toEqual([told, told])
})

test('conditions are of the page, not of the verdict', async () => {
  // As servers of files do.
  answer = ({ headers }, response) =>
    response.writeHead('if-modified-since' in headers || 'range' in headers ? 304 : 200).end()
  using visitor = await open()
  const fields = { 'If-Modified-Since': 'Sat, 21 Nov 2026 19:00:00 GMT', Range: 'bytes=0-1' }
  expect((await visitor.ask('/', { fields })).status).toBe(200)
  expect(seen[0]!.fields.names).toContain('range')
})

test('only what is to be sent; the path may depend on the request', async () => {
  using visitor = await open({ send: ['cookie'], path: '/may/$request_method?u=$http_x_own' })
  const fields = { Cookie: 'sid=1', 'X-Own': 'x&u=root#', Via: '1.1 a' }
  await visitor.ask('/', { fields })
  expect(asked[0]!.url).toBe('/may/GET?u=x%26u%3Droot%23')
  expect(asked[0]!.headers.cookie).toBe('sid=1')
  // Who asks itself shall see that.
  expect(asked[0]!.headers.via).toBe('1.1 a, 1.1 portico')
  expect(asked[0]!.headers).not.toHaveProperty('x-own')
})

test('its word on who it is takes the place of the visitor’s own', async () => {
  using visitor = await open()
  const claims = {
    'Remote-User': 'root',
    Remote_User: 'root',
    'remote.user': 'root',
    'X-Remote-User': 'root',
    'X-Groups': 'wheel',
    x_groups: 'wheel',
  }
  await visitor.ask('/', { fields: claims })
  const { fields } = seen[0]!
  expect([fields.user, fields.authType]).toEqual(['ann', 'Forward'])
  expect(fields.names.join(' ')).toBe('host remote-user')
  expect(fields.values.at(-1)).toBe('ann')
  answer = (_, response) => response.writeHead(204, { 'Set-Cookie': ['a=b', 'c=d'], X: 'y' }).end()
  const reply = await visitor.ask('/', { fields: claims })
  expect(seen[1]!.fields.user).toBeUndefined()
  expect(seen[1]!.fields.names.join(' ')).toBe('host')
  expect([reply.fields['set-cookie'], reply.fields.x]).toEqual(['a=b\nc=d', undefined])
})

test.each([
  [401, { 'WWW-Authenticate': 'Bearer' }],
  [302, { Location: 'https://login.example/?rd=x', 'Set-Cookie': 'state=1' }],
  [403, { 'Content-Type': 'text/html' }],
  [429, { 'Retry-After': '5' }],
] as const)('%i is the visitor’s answer', async (status, fields) => {
  answer = (_, response) => {
    response.writeHead(status, fields)
    response.write('why ')
    setTimeout(() => response.end('not'), 10)
  }
  using visitor = await open()
  for (let i = 0; i < 2; i++) {
    const reply = await visitor.ask('/', { body: 'secret' })
    expect([reply.status, reply.text]).toEqual([status, 'why not'])
    for (const [name, value] of Object.entries(fields)) {
      expect(reply.fields[name.toLowerCase()]).toBe(value)
    }
  }
  expect(seen).toHaveLength(0)
})

test.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
  ['an error', (_, response) => response.writeHead(500).end('oops')],
  ['silence', () => {}],
  ['an end', (request) => request.socket.destroy()],
  ['garbage', (request) => request.socket.end('garbage\r\n\r\n')],
])('%s lets nobody in', async (_, misbehave) => {
  answer = misbehave
  using visitor = await open()
  const reply = await visitor.ask('/')
  expect([reply.status, seen.length]).toEqual([503, 0])
  expect(reply.text).not.toContain('oops')
  answer = (_request, response) => response.writeHead(200).end()
  expect((await visitor.ask('/')).status).toBe(200)
})

test('nobody there lets nobody in', async () => {
  using visitor = await open({}, 1)
  expect((await visitor.ask('/')).status).toBe(503)
})

test('an answer that lets in and never ends is read no further', async () => {
  let closed = false
  answer = (request, response) => {
    response.writeHead(200)
    const timer = setInterval(() => response.write('x'.repeat(20_000)), 1)
    request.socket.on('close', () => {
      closed = true
      clearInterval(timer)
    })
  }
  using visitor = await open()
  expect((await visitor.ask('/')).text).toBe('in ')
  await until('its end', () => closed)
})

test('who leaves while it is asked is forgotten, there as well', async () => {
  let closed = false
  answer = (request) => {
    request.socket.on('close', () => {
      closed = true
    })
  }
  const visitor = await open()
  visitor.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('the question', () => asked.length === 1)
  visitor.socket.resetAndDestroy()
  await until('its end', () => closed)
  expect(seen).toHaveLength(0)
})
