/** What every filter keeps to: whoever it lets through meets the handler as if there were none. */
import { afterEach, describe, expect, test } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { filtered } from '../../src/filters/compose.ts'
import { allocateLimits } from '../../src/filters/limit/allocate.ts'
import type { AnswerHead, Exchange, Handler } from '../../src/request/exchange.ts'
import type { FiltersPlan, LimitPlan } from '../../src/site/filters-plan.ts'
import { Visitor } from '../flows/support/visitor.ts'
import { echo, Held, handler, OK } from '../gateways/http1/handlers.ts'
import { type Served, serve } from '../handlers/serve.ts'
import { until } from '../supervisor/site.ts'
import { filterHost } from './filter-host.ts'

const LIMIT: LimitPlan = {
  table: 'a',
  by: { of: 'address', name: '' },
  intervalMs: 0.001,
  burst: 1000,
  prompt: 1000,
  concurrency: 0,
  status: 429,
  tell: false,
  keys: 100,
}

const NO_EDITS = { set: {}, add: {}, default: {}, remove: [] }

const CORS = {
  origins: ['*'],
  methods: ['GET'],
  headers: [],
  expose: [],
  credentials: false,
  maxAgeSeconds: 0,
  privateNetwork: false,
}

const MAINTENANCE = {
  exists: '',
  page: '',
  text: '',
  status: 503,
  retryAfterSeconds: 1,
  except: [],
}

/** Each lets a plain visitor through. `marks`: what all its answers have. */
const FILTERS: Readonly<Record<string, { readonly plan: FiltersPlan; readonly marks?: string }>> = {
  'limit rate': { plan: { limits: [LIMIT] } },
  'limit rate, telling': {
    plan: { limits: [{ ...LIMIT, tell: true }] },
    marks: 'ratelimit-limit',
  },
  'limit rate, delaying': {
    plan: { limits: [{ ...LIMIT, intervalMs: 5, burst: 10, prompt: 0.01 }] },
  },
  'limit concurrency': { plan: { limits: [{ ...LIMIT, intervalMs: 0, concurrency: 2 }] } },
  'allow and deny': { plan: { access: { allow: ['127.0.0.1/32'], deny: ['127.0.0.0/8'] } } },
  'auth, of whom it need not ask': {
    plan: {
      access: { allow: ['127.0.0.1/32'], deny: [] },
      auth: {
        file: '',
        users: { a: '{SHA}AAAAAAAAAAAAAAAAAAAAAAAAAAA=' },
        realm: 'r',
        pass: false,
        satisfy: 'any',
      },
    },
  },
  'headers, fixed': {
    plan: { headers: { ...NO_EDITS, set: { 'X-Fixed': 'yes' }, always: true } },
    marks: 'x-fixed',
  },
  'headers, with variables': {
    plan: { headers: { ...NO_EDITS, add: { 'X-Said': '$request_method' }, always: true } },
    marks: 'x-said',
  },
  'request headers': {
    plan: { requestHeaders: { ...NO_EDITS, set: { 'X-Tenant': 'a' }, remove: ['x-other'] } },
  },
  cors: { plan: { cors: CORS }, marks: 'access-control-allow-origin' },
  errors: { plan: { errors: { pages: {}, intercept: true } } },
  'maintenance, not now': {
    plan: { maintenance: { ...MAINTENANCE, when: 'file', exists: '/nowhere/closed' } },
  },
  'maintenance, not for this one': {
    plan: { maintenance: { ...MAINTENANCE, when: 'always', except: ['127.0.0.0/8'] } },
  },
  'a token, of whom it need not ask': {
    plan: {
      access: { allow: ['127.0.0.1/32'], deny: [] },
      jwt: {
        file: '',
        url: 'http://127.0.0.1:1/',
        secret: '',
        algorithms: [],
        issuer: [],
        audience: [],
        require: {},
        expires: true,
        leewaySeconds: 0,
        from: [],
        claims: {},
        user: '',
        pass: true,
        refreshMs: 1000,
        realm: '',
        satisfy: 'any',
      },
    },
  },
  'another server, that need not be asked': {
    plan: {
      access: { allow: ['127.0.0.1/32'], deny: [] },
      forward: {
        pool: 'none',
        path: '/',
        send: null,
        copy: [],
        user: '',
        answer: [],
        timeoutMs: 1000,
        satisfy: 'any',
      },
    },
  },
  rewrite: {
    plan: {
      rewrite: {
        strip: '',
        add: '/v1',
        rules: [{ match: '^/v1/(.*)$', to: '/v2/$1', status: 0, again: false }],
      },
    },
  },
  compress: {
    plan: {
      compress: {
        codings: ['zstd', 'br', 'gzip'],
        types: ['*'],
        min: 0,
        levels: { zstd: 3, br: 4, gzip: 4 },
        streams: 10,
      },
    },
  },
  'two limits': {
    plan: { limits: [LIMIT, { ...LIMIT, table: 'b', intervalMs: 0, concurrency: 3 }] },
  },
}

let served: Served | null = null
afterEach(() => served?.close())

async function open(plan: FiltersPlan, inner: Handler): Promise<Visitor> {
  const match = { kind: 'prefix', path: '/' } as const
  const answer = { kind: 'respond', status: 200, body: '', type: '', headers: {} } as const
  const route = { match, handler: answer, filters: plan, maxBody: 0, source: '' }
  const limits = { line: 0, head: 0, fields: 0, body: 0, connections: 100 }
  const tables = allocateLimits({
    hosts: [{ name: '*', routes: [route] }],
    threads: 1,
    limits,
  })
  served = await serve(filtered(plan, inner, filterHost({ limits: tables })))
  return Visitor.to(served.port)
}

describe.each(Object.entries(FILTERS))('%s', (_, { plan, marks }) => {
  const marked = (fields: Readonly<Record<string, string>>): boolean =>
    marks === undefined || fields[marks] !== undefined

  test('passes bodies of every kind, there and back', async () => {
    using visitor = await open(plan, echo())
    const text = 'x'.repeat(100_000)
    const sized = await visitor.ask('/', { body: text })
    expect([sized.text === text, marked(sized.fields)]).toEqual([true, true])
    visitor.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    visitor.sendChunks(Buffer.from('chunked'), 3)
    expect((await visitor.reply()).text).toBe('chunked')
    visitor.send('PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n')
    visitor.send('put')
    expect(await visitor.reply()).toMatchObject({ text: 'put', interim: [100] })
    expect((await visitor.ask('/', { method: 'DELETE' })).status).toBe(200)
  })

  test('answers in parts, with interim answers, and to HEAD', async () => {
    const inner = handler((exchange) => {
      exchange.inform(103, 'Link: </a>\r\n')
      exchange.start(OK, -1)
      exchange.write(Buffer.from('one '), true)
      exchange.write(Buffer.from('two'), true)
      exchange.end()
    })
    using visitor = await open(plan, inner)
    expect(await visitor.ask('/')).toMatchObject({ text: 'one two', interim: [103] })
    const head = await visitor.ask('/', { method: 'HEAD' })
    expect([head.status, head.text, marked(head.fields)]).toEqual([200, '', true])
  })

  test('what fails behind is its visitor’s to see, marked as every answer is', async () => {
    const fails = handler((exchange) => exchange.fail(new PorticoError('NO_BACKEND')))
    using visitor = await open(plan, fails)
    const reply = await visitor.ask('/')
    expect([reply.status, reply.fields['retry-after'], marked(reply.fields)]).toEqual([
      503,
      '1',
      true,
    ])
  })

  test('what is thrown behind is a 500', async () => {
    const throws = handler(() => {
      throw new PorticoError('APP_FAILED')
    })
    using visitor = await open(plan, throws)
    expect((await visitor.ask('/')).status).toBe(500)
  })

  test('who leaves is told to the handler, and nothing is kept of it', async () => {
    const held = new Held()
    const first = await open(plan, held)
    let gone = 0
    for (let round = 0; round < 6; round++) {
      using visitor = await Visitor.to(served!.port)
      visitor.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      await until('the request', () => held.exchanges.length > round)
      held.last.onGone = () => {
        gone++
      }
      visitor.socket.resetAndDestroy()
      await until('its end', () => gone > round)
    }
    first.leave()
  })

  test('who resets in the middle of a body is over as well', async () => {
    const first = await open(plan, echo())
    for (let i = 0; i < 4; i++) {
      using visitor = await Visitor.to(served!.port)
      visitor.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab')
      visitor.socket.resetAndDestroy()
    }
    await until('an answer', async () => (await first.ask('/', { body: 'x' })).text === 'x')
    first.leave()
  })

  test('upgrades pass, and end', async () => {
    const head: AnswerHead = {
      status: 101,
      reason: '',
      fields: 'Connection: Upgrade\r\nUpgrade: echo\r\n',
      has: 0,
    }
    const inner = handler((exchange: Exchange) => {
      if (exchange.canUpgrade !== true) return exchange.fail(new PorticoError('NO_WEBSOCKET'))
      const stream = exchange.upgrade(head)
      stream.on('data', (chunk: Buffer) => stream.write(chunk))
      stream.on('end', () => stream.end())
    })
    const first = await open(plan, inner)
    for (let round = 0; round < 5; round++) {
      const asked = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
      await until('a place', async () => {
        using one = await Visitor.to(served!.port)
        one.send(asked)
        const answer = String(await one.read())
        if (!answer.startsWith('HTTP/1.1 101 ')) return false
        one.send('hello')
        expect(String(await one.read())).toBe('hello')
        return true
      })
    }
    first.leave()
  })

  test('closing reaches the handler', () => {
    let closed = 0
    const inner: Handler = { name: 'inner', handle: () => {}, close: () => void closed++ }
    const limits = Object.fromEntries(
      (plan.limits ?? []).flatMap(({ table }) =>
        ['rate', 'concurrency'].map((what) => [`${table} ${what}`, new SharedArrayBuffer(512)]),
      ),
    )
    const made = filtered(plan, inner, filterHost({ limits }))
    made.close?.()
    expect([made.name, closed]).toEqual(['inner', 1])
  })
})

test('a route without filters has its handler and nothing else', () => {
  const inner = echo()
  expect(filtered(undefined, inner, filterHost())).toBe(inner)
})
