/** Pages in place of answers: for errors, and while the site is worked on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { doors } from '../../src/filters/compose.ts'
import type { Exchange } from '../../src/request/exchange.ts'
import type { ErrorsPlan, FiltersPlan, MaintenancePlan } from '../../src/site/filters-plan.ts'
import { Visitor } from '../flows/support/visitor.ts'
import { handler, OK } from '../gateways/http1/handlers.ts'
import { type Served, serve } from '../handlers/serve.ts'
import { until } from '../supervisor/site.ts'
import { filterHost } from './filter-host.ts'

let folder = ''
let served: Served | null = null
let log: string[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pages-'))
  log = []
})
afterEach(() => {
  served?.close()
  rmSync(folder, { recursive: true, force: true })
})

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

async function open(
  plan: FiltersPlan,
  handle: (exchange: Exchange) => void,
  door: 'open' | 'shut' = 'open',
): Promise<Visitor> {
  const host = filterHost({ complain: (message) => void log.push(message) })
  served = await serve(doors(plan, handler(handle), host)[door])
  return Visitor.to(served.port)
}

describe('errors', () => {
  const plan = (intercept: boolean): { errors: ErrorsPlan } => ({
    errors: {
      pages: { 404: file('404.html', '<h1>lost</h1>'), '5xx': file('5xx.txt', 'sorry') },
      intercept,
    },
  })

  test('by status, then by kind, with what is not about the page', async () => {
    const codes = ['NOT_FOUND', 'NO_BACKEND', 'APP_FAILED', 'FORBIDDEN', 'TOO_MANY'] as const
    let n = 0
    using visitor = await open(plan(false), (exchange) =>
      exchange.fail(new PorticoError(codes[n++]!, '', { retryAfter: 7 })),
    )
    const replies: string[] = []
    for (const _ of codes) {
      const { status, fields, text } = await visitor.ask('/')
      const page = text.startsWith('<h1>') || text === 'sorry' ? text : 'usual'
      replies.push(`${status} ${fields['content-type']} ${fields['retry-after']} ${page}`)
    }
    expect(replies).toEqual([
      '404 text/html; charset=utf-8 undefined <h1>lost</h1>',
      '503 text/plain; charset=utf-8 7 sorry',
      '500 text/plain; charset=utf-8 undefined sorry',
      '403 text/plain; charset=utf-8 undefined usual',
      '429 text/plain; charset=utf-8 7 usual',
    ])
  })

  test('what has begun and of which nothing has left is replaced, too', async () => {
    using visitor = await open(plan(false), (exchange) => {
      exchange.start(OK, 10)
      exchange.fail(new PorticoError('BACKEND_CLOSED'))
    })
    expect(await visitor.ask('/')).toMatchObject({ status: 502, text: 'sorry' })
  })

  test('those of applications are theirs, unless they are intercepted', async () => {
    const theirs = {
      ...OK,
      status: 404,
      fields: 'Content-Type: a/b\r\nETag: "x"\r\nSet-Cookie: a=b\r\n',
    }
    let ended = 0
    let gone = 0
    const answer = (exchange: Exchange): void => {
      if (exchange.line.path === '/whole') return exchange.respond(theirs, Buffer.from('theirs'))
      exchange.onGone = () => {
        gone++
      }
      exchange.start(theirs, -1)
      expect(exchange.answered).toBe(true)
      const most = exchange.line.path === '/long' ? 100 : 2
      for (let i = 0; i < most; i++) exchange.write(Buffer.alloc(10_000), true)
      exchange.end()
      ended++
    }
    using plain = await open(plan(false), answer)
    expect((await plain.ask('/whole')).text).toBe('theirs')
    served!.close()
    using visitor = await open(plan(true), answer)
    for (const path of ['/whole', '/parts', '/long']) {
      const { status, text, fields } = await visitor.ask(path)
      expect([status, text, fields['set-cookie'], fields.etag]).toEqual([
        404,
        '<h1>lost</h1>',
        'a=b',
        undefined,
      ])
    }
    // Whoever sends much in vain is told to stop.
    expect([ended, gone]).toEqual([2, 1])
  })

  test('a changed page shows; one that is gone stays as it was', async () => {
    using visitor = await open(plan(false), (exchange) =>
      exchange.fail(new PorticoError('NOT_FOUND')),
    )
    file('404.html', 'changed')
    await until('the new page', async () => (await visitor.ask('/')).text === 'changed')
    rmSync(join(folder, '404.html'))
    await until('a complaint', async () => {
      expect((await visitor.ask('/')).text).toBe('changed')
      return log.length > 0
    })
    expect(log[0]).toMatch(/404\.html: ENOENT.*; what it was before is still shown/)
    const gone = { errors: { pages: { 404: '/nowhere' }, intercept: false } }
    expect(() =>
      doors(
        gone,
        handler(() => {}),
        filterHost(),
      ),
    ).toThrow(/cannot be used/)
  })
})

describe('maintenance', () => {
  const PLAN: MaintenancePlan = {
    when: 'told',
    exists: '',
    page: '',
    text: 'back soon',
    status: 503,
    retryAfterSeconds: 60,
    except: [],
  }
  const inside = (exchange: Exchange): void => exchange.respond(OK, Buffer.from('inside'))

  test('is a page with Retry-After that nobody keeps', async () => {
    using visitor = await open({ maintenance: PLAN }, inside, 'shut')
    const { status, text, fields } = await visitor.ask('/', { body: 'x'.repeat(100_000) })
    expect([status, text, fields['retry-after'], fields['cache-control']]).toEqual([
      503,
      'back soon\n',
      '60',
      'no-store',
    ])
    served!.close()
    using other = await open({ maintenance: PLAN }, inside)
    expect((await other.ask('/')).text).toBe('inside')
  })

  test.each<[string, FiltersPlan, string]>([
    ['who is excepted', { maintenance: { ...PLAN, except: ['127.0.0.0/8'] } }, 'inside'],
    ['who is not', { maintenance: { ...PLAN, except: ['10.0.0.0/8', 'unix'] } }, 'back soon\n'],
    ['where it never is', { maintenance: false }, 'inside'],
    [
      'where nothing is said of it',
      { headers: { set: {}, add: {}, default: {}, remove: [], always: true } },
      'Down for maintenance. Please come again later.\n',
    ],
  ])('%s', async (_, plan, text) => {
    using visitor = await open(plan, inside, 'shut')
    expect((await visitor.ask('/')).text).toBe(text)
  })

  test('comes before limits, and says what every answer says', async () => {
    using visitor = await open(
      {
        maintenance: { ...PLAN, when: 'always' },
        access: { allow: [], deny: ['all'] },
        headers: { set: { 'X-A': 'a' }, add: {}, default: {}, remove: [], always: true },
      },
      inside,
    )
    const { status, fields } = await visitor.ask('/')
    expect([status, fields['x-a']]).toEqual([503, 'a'])
  })
})
