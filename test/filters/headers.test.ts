/** Header fields of answers and requests: set, added, taken out, and never a way to say more. */
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { headers } from '../../src/filters/headers.ts'
import { requestHeaders } from '../../src/filters/request-headers.ts'
import { template } from '../../src/filters/template.ts'
import type { AnswerHead, Exchange } from '../../src/request/exchange.ts'
import type { EditsPlan, HeadersPlan } from '../../src/site/filters-plan.ts'
import { fieldValue, parseFields } from '../../src/wire/fields.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../src/wire/request-line.ts'
import { Visitor } from '../flows/support/visitor.ts'
import { handler, OK } from '../gateways/http1/handlers.ts'
import { type Served, serve } from '../handlers/serve.ts'
import { filterHost } from './filter-host.ts'

const NONE = { set: {}, add: {}, default: {}, remove: [], always: true }

let served: Served | null = null
afterEach(() => served?.close())

async function answers(
  plan: Partial<HeadersPlan>,
  handle: (exchange: Exchange) => void,
): Promise<Visitor> {
  served = await serve(headers({ ...NONE, ...plan }, handler(handle), filterHost()))
  return Visitor.to(served.port)
}

const THEIRS: AnswerHead = {
  ...OK,
  fields: 'X-A: 1\r\nx-a: 2\r\nX-AB: 3\r\nSet-Cookie: a=b\r\nContent-Type: text/plain\r\n',
}

describe('answers', () => {
  test.each([
    ['set', { set: { 'X-A': '9' } }, { 'x-a': '9', 'x-ab': '3' }],
    ['set what is not there', { set: { 'X-Z': 'ü' } }, { 'x-z': 'Ã¼', 'x-a': '1\n2' }],
    ['add', { add: { 'Set-Cookie': 'c=d' } }, { 'set-cookie': 'a=b\nc=d' }],
    ['default', { default: { 'X-A': '9', 'X-N': 'n' } }, { 'x-a': '1\n2', 'x-n': 'n' }],
    ['remove', { remove: ['x-A'] }, { 'x-a': undefined, 'x-ab': '3' }],
    ['remove Server', { remove: ['Server'] }, { server: undefined }],
    ['set Server', { set: { Server: 'other' } }, { server: 'other' }],
  ] as const)('%s', async (_, plan, expected) => {
    using visitor = await answers(plan, (exchange) => exchange.respond(THEIRS, Buffer.from('x')))
    const { fields } = await visitor.ask('/')
    for (const [name, value] of Object.entries(expected)) expect(fields[name]).toBe(value)
  })

  test('of errors as well, unless always is false', async () => {
    const fail = (exchange: Exchange): void => exchange.fail(new PorticoError('NO_BACKEND'))
    const set = { 'X-Said': 'yes' }
    for (const always of [true, false]) {
      using visitor = await answers({ set, always }, fail)
      expect((await visitor.ask('/')).fields['x-said']).toBe(always ? 'yes' : undefined)
      served!.close()
    }
  })

  test('a fixed answer stays one', async () => {
    const fixed: AnswerHead = { ...OK, fixed: true }
    const heads: AnswerHead[] = []
    const inner = handler((exchange) => {
      const { edit } = exchange
      exchange.edit = (head) => {
        const edited = edit!(head)
        heads.push(edited)
        return edited
      }
      exchange.respond(fixed, Buffer.from('x'))
    })
    served = await serve(headers({ ...NONE, set: { 'X-A': 'a' } }, inner, filterHost()))
    using visitor = await Visitor.to(served.port)
    for (let i = 0; i < 3; i++) expect((await visitor.ask('/')).fields['x-a']).toBe('a')
    expect([new Set(heads).size, heads[0]!.fixed]).toEqual([1, true])
  })

  test('variables are of the request', async () => {
    const set = {
      'X-To': '$scheme://$host:$server_port$request_uri',
      'X-From': '$remote_addr $request_method $http_user_agent $cookie_sid $arg_q',
      'X-Price': '$$5',
      'X-None': '$http_nothing',
    }
    using visitor = await answers({ set }, (exchange) => exchange.respond(OK, Buffer.from('x')))
    const { fields } = await visitor.ask('/a%20b?q=1%202&r', {
      fields: { Host: 'WWW.Example.com:99', 'User-Agent': 'me', Cookie: 'x=y; sid=s1' },
    })
    expect(fields['x-to']).toBe(`http://www.example.com:${served!.port}/a%20b?q=1%202&r`)
    expect(fields['x-from']).toBe('127.0.0.1 GET me s1 1%202')
    expect([fields['x-price'], fields['x-none']]).toEqual(['$5', undefined])
  })

  test('no path splits an answer', async () => {
    const set = { 'X-Uri': '$uri', 'X-Args': '$args' }
    using visitor = await answers({ set }, (exchange) => exchange.respond(OK, Buffer.from('x')))
    const { fields } = await visitor.ask('/a%0d%0aX-Evil:%201%0a?b%0d%0aX-Evil:%201')
    expect(fields['x-uri']).toBe('/a%0D%0AX-Evil:%201%0A')
    expect(Object.keys(fields)).not.toContain('x-evil')
  })

  test('whatever is asked for, a value is one line', () => {
    const read = template('$uri $args $http_x $cookie_x $arg_x $host $request_uri $1')
    if (typeof read === 'string') throw new Error('it has variables')
    fc.assert(
      fc.property(fc.string(), fc.string(), (path, value) => {
        const raw = `/${encodeURIComponent(path.toWellFormed())}?x=${encodeURIComponent(value.toWellFormed())}`
        let line: ReturnType<typeof parseRequestLine>
        try {
          line = parseRequestLine(`GET ${raw} HTTP/1.1`)
        } catch {
          return
        }
        const fields = parseRequestFields('Host: a\r\nX: b\r\n', 1, 10)
        const peer = { address: '', port: 0, localAddress: '', localPort: 0, scheme: 'http' }
        const captures = [Buffer.from(path).toString('latin1')]
        const text = read({ line, fields, peer, captures } as unknown as Exchange)
        expect(text).toMatch(/^[\x20-\x7e\x80-\xff]*$/)
        expect(parseFields(`A: ${text}\r\n`, 1).values[0]).toBe(text)
      }),
    )
  })
})

describe('requests', () => {
  async function requests(plan: Partial<EditsPlan>): Promise<Visitor> {
    const inner = handler((exchange) => {
      const { fields, line } = exchange
      const pairs = fields.names.map((name, i) => `${name}=${fields.values[i]}`)
      const same = JSON.stringify(parseFields(fields.raw, 100))
      const told = JSON.stringify({ names: fields.names, values: fields.values })
      if (same !== told) throw new Error('the block says something else')
      exchange.respond(OK, Buffer.from(`${line.host || fields.host} ${pairs.join(' ')}`, 'latin1'))
    })
    served = await serve(requestHeaders({ ...NONE, ...plan }, inner, filterHost()))
    return Visitor.to(served.port)
  }

  test.each([
    ['set', { set: { 'X-A': '9' } }, 'localhost host=localhost x-b=2 x-a=9'],
    ['add', { add: { 'X-A': '9' } }, 'localhost host=localhost x-a=1 x-b=2 x-a=9'],
    [
      'default',
      { default: { 'X-A': '9', 'X-C': '3' } },
      'localhost host=localhost x-a=1 x-b=2 x-c=3',
    ],
    ['remove', { remove: ['X-A', 'x-z'] }, 'localhost host=localhost x-b=2'],
    [
      'remove, then default',
      { remove: ['x-a'], default: { 'X-A': '9' } },
      'localhost host=localhost x-b=2 x-a=9',
    ],
    [
      'variables',
      { set: { 'X-A': '$request_method $http_x_b' } },
      'localhost host=localhost x-b=2 x-a=GET 2',
    ],
    [
      'Host',
      { set: { Host: 'inside.example:81' } },
      'inside.example x-a=1 x-b=2 host=inside.example:81',
    ],
  ] as const)('%s', async (_, plan, expected) => {
    using visitor = await requests(plan)
    for (let i = 0; i < 2; i++) {
      expect((await visitor.ask('/', { fields: { 'X-A': '1', 'X-B': '2' } })).text).toBe(expected)
    }
  })

  test('another spelling of the same variable goes as well', async () => {
    using visitor = await requests({ set: { 'X-Tenant': 'a' }, remove: ['X-Out'] })
    const fields = {
      X_Tenant: 'evil',
      'X-tenant': 'evil',
      'X.Tenant': 'evil',
      x_out: 'evil',
      X_Else: '1',
    }
    expect((await visitor.ask('/', { fields })).text).toBe(
      'localhost host=localhost x_else=1 x-tenant=a',
    )
  })

  test('no Connection field takes out what is said here', async () => {
    const inner = handler((exchange) => {
      exchange.respond(OK, Buffer.from(exchange.fields.connection.join(' ')))
    })
    const set = { 'X-Tenant': 'a' }
    served = await serve(requestHeaders({ ...NONE, set }, inner, filterHost()))
    using visitor = await Visitor.to(served.port)
    const fields = { Connection: 'x-tenant, x-other, keep-alive' }
    expect((await visitor.ask('/', { fields })).text).toBe('x-other keep-alive')
  })

  test('a host in the target is no way around', async () => {
    using visitor = await requests({ set: { Host: 'inside.example' } })
    visitor.send('GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n')
    expect((await visitor.reply()).text).toBe('inside.example host=inside.example')
  })

  test('the same fields make the same request', () => {
    const seen = new Set<unknown>()
    const inner = handler(({ fields }) => void seen.add(fields))
    const filter = requestHeaders({ ...NONE, set: { A: 'b' } }, inner, filterHost())
    const fields = parseRequestFields('Host: a\r\n', 1, 10)
    const line = parseRequestLine('GET / HTTP/1.1')
    for (let i = 0; i < 3; i++) filter.handle({ line, fields } as unknown as Exchange)
    expect(seen.size).toBe(1)
    expect(fieldValue([...seen][0] as typeof fields, 'a')).toBe('b')
  })
})

describe('templates', () => {
  test.each([
    ['$hots', /did you mean \$host\?/],
    ['$nothing_like_it', /no such variable: \$nothing_like_it/],
  ])('%j is refused', (text, why) => {
    expect(() => template(text)).toThrow(why)
  })

  test('a value ends with its last letter', () => {
    const read = template('$http_x ')
    if (typeof read === 'string') throw new Error('it has variables')
    const x = Buffer.from('Voilà').toString('latin1')
    expect(read({ fields: { names: ['x'], values: [x] } } as unknown as Exchange)).toBe(x)
  })

  test('a plain text is itself', () => {
    expect(['', 'a b', '$', '100 $', '$$a', 'ü'].map((text) => template(text))).toEqual([
      '',
      'a b',
      '$',
      '100 $',
      '$a',
      'Ã¼',
    ])
  })
})
