/** CORS: preflights are answered, nobody who is not listed is let in, and caches keep answers apart. */
import { setFlagsFromString } from 'node:v8'
import { afterEach, describe, expect, test } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { cors, originTest } from '../../src/filters/cors.ts'
import type { AnswerHead, Exchange } from '../../src/request/exchange.ts'
import type { CorsPlan } from '../../src/site/filters-plan.ts'
import { type Reply, Visitor } from '../flows/support/visitor.ts'
import { handler, OK } from '../gateways/http1/handlers.ts'
import { type Served, serve } from '../handlers/serve.ts'
import { filterHost } from './filter-host.ts'

const PLAN: CorsPlan = {
  origins: ['https://a.example', 'https://*.b.example'],
  methods: ['GET', 'PUT'],
  headers: ['x-one', 'authorization'],
  expose: ['X-Total'],
  credentials: false,
  maxAgeSeconds: 600,
  privateNetwork: false,
}

let served: Served | null = null
let asked: Exchange[] = []
afterEach(() => served?.close())

const THEIRS: AnswerHead = {
  ...OK,
  fields: 'Access-Control-Allow-Origin: *\r\nAccess-Control-Max-Age: 5\r\nVary: Accept\r\n',
}

async function open(more: Partial<CorsPlan> = {}): Promise<Visitor> {
  asked = []
  const inner = handler((exchange) => {
    asked.push(exchange)
    if (exchange.line.path === '/fails') return exchange.fail(new PorticoError('NO_BACKEND'))
    exchange.respond(THEIRS, Buffer.from('x'))
  })
  served = await serve(cors({ ...PLAN, ...more }, inner, filterHost()))
  return Visitor.to(served.port)
}

function said({ fields }: Reply): Record<string, string> {
  const names = Object.keys(fields).filter((name) => /^access-control-|^vary$/.test(name))
  return Object.fromEntries(
    names.map((name) => [name.replace('access-control-', ''), fields[name]!]),
  )
}

const from = (Origin: string): { fields: { Origin: string } } => ({ fields: { Origin } })
const preflight = (origin: string, more = {}) => ({
  method: 'OPTIONS',
  fields: { Origin: origin, 'Access-Control-Request-Method': 'PUT', ...more },
})

describe('requests', () => {
  test('of who is listed, of who is not, and of nobody', async () => {
    using visitor = await open()
    expect(said(await visitor.ask('/', from('https://a.example')))).toEqual({
      'allow-origin': 'https://a.example',
      'expose-headers': 'X-Total',
      vary: 'Accept\nOrigin',
    })
    expect(said(await visitor.ask('/', from('https://evil.example')))).toEqual({
      vary: 'Accept\nOrigin',
    })
    expect(said(await visitor.ask('/'))).toEqual({ vary: 'Accept\nOrigin' })
    expect(asked).toHaveLength(3)
  })

  test('errors can be read as well', async () => {
    using visitor = await open()
    const reply = await visitor.ask('/fails', from('https://a.example'))
    expect([reply.status, said(reply)['allow-origin']]).toEqual([503, 'https://a.example'])
  })

  test('for everybody it is the same', async () => {
    using visitor = await open({ origins: ['*'], expose: [] })
    for (const ask of [{}, from('https://any.example')]) {
      expect(said(await visitor.ask('/', ask))).toEqual({ 'allow-origin': '*', vary: 'Accept' })
    }
  })

  test('credentials are for who is listed', async () => {
    using visitor = await open({ credentials: true, origins: ['https://a.example', 'null'] })
    for (const origin of ['https://a.example', 'null']) {
      expect(said(await visitor.ask('/', from(origin)))).toMatchObject({
        'allow-origin': origin,
        'allow-credentials': 'true',
      })
    }
    expect(said(await visitor.ask('/', from('https://b.example')))).toEqual({
      vary: 'Accept\nOrigin',
    })
  })
})

describe('preflights', () => {
  test('are answered here', async () => {
    using visitor = await open()
    const reply = await visitor.ask('/', preflight('https://x.b.example'))
    expect([reply.status, asked.length]).toEqual([204, 0])
    expect(said(reply)).toEqual({
      'allow-origin': 'https://x.b.example',
      'allow-methods': 'GET, PUT',
      'allow-headers': 'x-one, authorization',
      'max-age': '600',
      vary: 'Access-Control-Request-Method, Access-Control-Request-Headers\nOrigin',
    })
    const refused = await visitor.ask('/', preflight('https://evil.example'))
    expect([refused.status, said(refused), asked.length]).toEqual([204, { vary: 'Origin' }, 0])
  })

  test('an OPTIONS that is none goes on', async () => {
    using visitor = await open()
    await visitor.ask('/', { method: 'OPTIONS' })
    await visitor.ask('/', { method: 'OPTIONS', ...from('https://a.example') })
    expect(asked).toHaveLength(2)
  })

  test('a star with credentials is what was asked for, and never a way to say more', async () => {
    using visitor = await open({ credentials: true, methods: ['*'], headers: ['*'] })
    const more = { 'Access-Control-Request-Headers': 'X-B,  authorization' }
    expect(said(await visitor.ask('/', preflight('https://a.example', more)))).toMatchObject({
      'allow-methods': 'PUT',
      'allow-headers': 'x-b, authorization',
      'allow-credentials': 'true',
    })
    const wrong = { 'Access-Control-Request-Headers': 'a b: c' }
    const reply = await visitor.ask('/', preflight('https://a.example', wrong))
    expect(said(reply)['allow-headers']).toBeUndefined()
  })

  test('private networks, where that is allowed', async () => {
    const more = { 'Access-Control-Request-Private-Network': 'true' }
    for (const privateNetwork of [true, false]) {
      using visitor = await open({ privateNetwork })
      const reply = await visitor.ask('/', preflight('https://a.example', more))
      expect(said(reply)['allow-private-network']).toBe(privateNetwork ? 'true' : undefined)
      served!.close()
    }
  })
})

test('an expression takes no longer than the origin is long', () => {
  // As server threads have it.
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')
  const allowed = originTest(['~https://([a-z]+)+\\.EXAMPLE\\.com\\S[A-C]?'])
  const began = performance.now()
  expect(allowed(`https://${'a'.repeat(60)}!`)).toBe(false)
  expect(performance.now() - began).toBeLessThan(1000)
  expect(['https://A.example.com:B', 'https://a.example.com '].map(allowed)).toEqual([true, false])
})

test('an origin is compared as a whole', () => {
  const allowed = originTest([
    'https://a.example',
    'https://*.b.example',
    'http://[::1]:8080',
    '~https://(x|y)\\.example(:\\d+)?',
  ])
  for (const origin of [
    'https://a.example',
    'HTTPS://A.example',
    'https://x.b.example',
    'https://x.y.b.example',
    'http://[::1]:8080',
    'https://x.example:99',
  ]) {
    expect([origin, allowed(origin)]).toEqual([origin, true])
  }
  for (const origin of [
    'http://a.example',
    'https://a.example:444',
    'https://a.example.evil',
    'https://evil-a.example',
    'https://b.example',
    'https://xb.example',
    'https://evil/.b.example',
    'https://x.b.example.evil',
    'https://evil.example/https://x.example',
    'https://x.example.evil',
    'https://xzexample',
    'null',
    '',
    `https://${'a.'.repeat(300)}b.example`,
  ]) {
    expect([origin, allowed(origin)]).toEqual([origin, false])
  }
})
