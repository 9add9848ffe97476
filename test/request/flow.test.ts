/** Host and path to handler, and what is answered where there is none: through a whole gateway. */
import { afterEach, describe, expect, test } from 'vitest'
import { Http1Gateway } from '../../src/gateways/http1/gateway.ts'
import { Counters } from '../../src/request/counters.ts'
import { Flow } from '../../src/request/flow.ts'
import { Router } from '../../src/request/route.ts'
import type { HostPlan, RouteMatch } from '../../src/site/plan.ts'
import { type Answer, field, readAnswers } from '../gateways/http1/answers.ts'
import { handler, OK } from '../gateways/http1/handlers.ts'
import { StandIn } from '../gateways/http1/stand-in.ts'

let gateway: Http1Gateway | null = null
afterEach(() => gateway?.close())

function host(name: string, paths: readonly string[]): HostPlan {
  return {
    name,
    routes: paths.map((path) => ({
      match: matchOf(path),
      handler: { kind: 'respond', status: 200, body: `${name} ${path}`, type: '', headers: {} },
      maxBody: 10,
      source: `${name} ${path}`,
    })),
  }
}

function matchOf(path: string): RouteMatch {
  if (path.startsWith('~')) return { kind: 'regex', path: path.slice(1) }
  return { kind: path.endsWith('/') ? 'prefix' : 'exact', path }
}

function opened(router: Router): Http1Gateway {
  const counters = Counters.of(Counters.allocate(1), 0)
  gateway = new Http1Gateway({
    flow: new Flow(router, counters, null),
    counters,
    limits: { line: 8192, head: 65_536, fields: 100, body: 1000, connections: 10 },
    timeouts: {
      headMs: 1000,
      bodyMs: 1000,
      idleMs: 1000,
      sendMs: 1000,
      abandonMs: 1_000,
      leaveMs: 0,
      stopMs: 1000,
    },
    serverName: '',
    dev: false,
  })
  return gateway
}

/** Answers say which host and route they are of, its prefix and what it captured. */
function serving(hosts: readonly HostPlan[]): (bytes: string) => Answer {
  const router = new Router(hosts, (plan) =>
    handler((exchange) => {
      const name = plan.kind === 'respond' ? plan.body : ''
      const captures = exchange.captures?.join(',') ?? '-'
      exchange.respond(OK, Buffer.from(`${name} [${exchange.prefix}] ${captures}`, 'latin1'))
    }),
  )
  const made = opened(router)
  return (bytes) => {
    const visitor = new StandIn(made)
    visitor.send(Buffer.from(bytes, 'latin1'))
    const [answer] = readAnswers(visitor.answer, [bytes.slice(0, bytes.indexOf(' '))], true).answers
    visitor.leave()
    return answer!
  }
}

const get = (target: string, name = 'a'): string =>
  `GET ${target} HTTP/1.1\r\nHost: ${name}\r\n\r\n`

describe('hosts', () => {
  const ask = (name: string): string | number => {
    const answer = serving([
      host('www.example.com', ['/']),
      host('*.example.com', ['/']),
      host('*.b.example.com', ['/']),
    ])(get('/', name))
    return answer.status === 200 ? answer.body.toString().split(' ')[0]! : answer.status
  }

  test.for<[string, string | number]>([
    ['www.example.com', 'www.example.com'],
    ['WWW.Example.COM:8080', 'www.example.com'],
    ['www.example.com.', 'www.example.com'],
    ['other.example.com', '*.example.com'],
    ['x.y.example.com', '*.example.com'],
    ['x.b.example.com', '*.b.example.com'],
    ['example.com', 421],
    ['evilexample.com', 421],
    ['www.example.com.evil', 421],
    ['', 421],
    ['.', 421],
    ['[::1]', 421],
  ])('%s', ([name, expected]) => {
    expect(ask(name)).toBe(expected)
  })

  test('a name of many dots is just not here', () => {
    expect(ask('.'.repeat(60_000))).toBe(421)
    expect(ask('www.example.com..')).toBe(421)
  })

  test('an absolute target decides, not Host', () => {
    const answer = serving([host('a', ['/']), host('b', ['/'])])(
      'GET http://B:81/x HTTP/1.1\r\nHost: a\r\n\r\n',
    )
    expect(answer.body.toString()).toMatch(/^b /)
  })

  test('the one for all others takes what no other does', () => {
    const answer = serving([host('a', ['/']), host('*', ['/'])])(get('/', ''))
    expect(answer.body.toString()).toMatch(/^\* /)
  })
})

describe('paths', () => {
  const ask = serving_()
  function serving_(): (target: string) => Answer {
    return (target) =>
      serving([
        host('a', ['/', '/a/', '/a/b/', '/a/exact', '~^/n/(\\d+)/(x)?', '~^/n/', '/é/', '/q']),
      ])(get(target))
  }

  test.for<[string, string]>([
    ['/', 'a / [/] -'],
    ['/zzz', 'a / [/] -'],
    ['/a/x', 'a /a/ [/a/] -'],
    ['/a/b/x', 'a /a/b/ [/a/b/] -'],
    ['/a/exact', 'a /a/exact [/a/exact] -'],
    ['/a/exact/', 'a /a/ [/a/] -'],
    ['/n/12/', 'a ~^/n/(\\d+)/(x)? [] 12,'],
    ['/n/x', 'a ~^/n/ [] '],
    ['/a/../q', 'a /q [/q] -'],
    ['/%61/b%2fx', 'a /a/b/ [/a/b/] -'],
    ['/%C3%A9/x', 'a /é/ [/Ã©/] -'],
    ['/q?/a/b/', 'a /q [/q] -'],
  ])('%s', ([target, expected]) => {
    expect(ask(target).body.toString('latin1').replace('é', 'Ã©')).toBe(
      Buffer.from(expected, 'latin1').toString('latin1').replace('é', 'Ã©'),
    )
  })

  test.for<[string, string]>([
    ['/a', '/a/'],
    ['/a?x=y', '/a/?x=y'],
    ['/a/b', '/a/b/'],
    ['/%61', '/a/'],
    ['http://a/a', '/a/'],
    // Browsers take a backslash for a slash, and two slashes for the beginning of a host.
    ['/\\evil.example/../a', '/a/'],
    ['//evil.example/..%2f../a', '/a/'],
    ['/%5Cevil.example%2f..%2fa?x', '/a/?x'],
    ['/%C3%A9', '/%C3%A9/'],
  ])('%s lacks its slash', ([target, location]) => {
    const answer = ask(target)
    expect(answer.status).toBe(301)
    expect(field(answer, 'location')).toBe(location)
  })

  test('a method with a body keeps it', () => {
    const answer = serving([host('a', ['/a/'])])('POST /a HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(answer.status).toBe(308)
  })

  test.each([
    ['//private/x', '/private/x'],
    ['/a//private//x', '/a/private/x'],
    ['/x/..//private/x?y=//', '/private/x?y=//'],
    ['//exact', '/exact'],
    ['//evil.example//private', null],
    ['/private//x', null],
    ['//other//x', null],
  ])('%s: slashes that lead to another route lead to a redirect', (path, location) => {
    const ask = serving([host('*', ['/', '/private/', '/a/private/', '/exact'])])
    const answer = ask(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    expect(field(answer, 'location') ?? null).toBe(location)
    expect(answer.status).toBe(location === null ? 200 : 301)
  })

  test('no route is 404', () => {
    expect(serving([host('a', ['/a/'])])(get('/b')).status).toBe(404)
  })
})

test('OPTIONS * is answered for the server as a whole', () => {
  const answer = serving([host('a', ['/'])])('OPTIONS * HTTP/1.1\r\nHost: nobody\r\n\r\n')
  expect(answer.status).toBe(204)
  expect(field(answer, 'allow')).toContain('GET')
})

test('a route’s own bound on bodies holds', () => {
  const ask = serving([host('a', ['/'])])
  expect(ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n').status).toBe(413)
  expect(ask('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n').status).toBe(200)
})

test('what throws inside is a 500 for the visitor and a trace for the owner', () => {
  const made: string[] = []
  const write = console.error
  console.error = (text: string) => made.push(text)
  try {
    const router = new Router([host('a', ['/'])], () =>
      handler(() => {
        throw new Error('the cause')
      }),
    )
    const visitor = new StandIn(opened(router))
    visitor.send(Buffer.from(get('/').repeat(100)))
    const { answers } = readAnswers(visitor.answer, [], true)
    expect(answers.map(({ status }) => status)).toEqual(Array(100).fill(500))
    expect(answers[0]!.body.toString()).not.toContain('the cause')
  } finally {
    console.error = write
  }
  // A visitor must not be able to fill a disk with traces.
  expect(made.length).toBe(1)
  expect(made[0]).toContain('the cause')
  expect(made[0]).toContain('GET /')
})
