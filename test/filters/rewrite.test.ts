/** Rewrites: what a path becomes, what stays as it was spelled, and what nobody can make of it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { parseTarget } from '../../src/filters/rewrite/target.ts'
import { rewrite } from '../../src/filters/rewrite.ts'
import type { AnswerHead, Exchange } from '../../src/request/exchange.ts'
import type { RewritePlan, RewriteRule } from '../../src/site/filters-plan.ts'
import { groupsOf, isLinear } from '../../src/site/regular.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'
import { parseRequestLine } from '../../src/wire/request-line.ts'
import { handler } from '../gateways/http1/handlers.ts'
import { filterHost } from './filter-host.ts'

const NONE: RewritePlan = { strip: '', add: '', rules: [] }

function rule(match: string, to: string, more: Partial<RewriteRule> = {}): RewritePlan {
  return { ...NONE, rules: [{ match, to, status: 0, again: false, ...more }] }
}

interface Outcome {
  readonly path?: string
  readonly origin?: string
  readonly prefix?: string
  readonly again?: boolean
  readonly location?: string
  readonly status?: number
}

/** What becomes of a request for `target`. */
function outcome(plan: RewritePlan, target: string, prefix = '/'): Outcome {
  let result: Outcome = {}
  const inner = handler(({ line, prefix: mounted }) => {
    result = { path: line.path, origin: line.origin, prefix: mounted }
  })
  const host = filterHost({
    reroute: (_, { path, origin }) => {
      result = { path, origin, again: true }
    },
  })
  const exchange = {
    line: parseRequestLine(`GET ${target} HTTP/1.1`),
    fields: parseRequestFields('Host: www.example.com:8080\r\nX-A: a/../b\r\n', 1, 10),
    peer: { scheme: 'https', address: '192.0.2.1', port: 1, localAddress: '', localPort: 443 },
    prefix,
    captures: null,
    respond: ({ status, fields }: AnswerHead) => {
      result = { status, location: /^Location: (.*)\r\n$/.exec(fields)?.[1] ?? fields }
    },
  } as unknown as Exchange
  const filter = rewrite(plan, inner, host)
  filter.handle(exchange)
  const first = result
  filter.handle(exchange)
  expect(result).toEqual(first)
  return result
}

describe('strip and add', () => {
  test.each([
    ['/api', '', '/api/users?a=b', '/users', '/users?a=b'],
    ['/api', '', '/api', '/', '/'],
    ['/api', '', '/api/', '/', '/'],
    ['/api', '', '/apis/a', '/apis/a', '/apis/a'],
    ['/api', '', '/other', '/other', '/other'],
    ['/api', '/v1', '/api/users', '/v1/users', '/v1/users'],
    ['', '/v1', '/users?x', '/v1/users', '/v1/users?x'],
    ['/api', '', '/api/a%2Fb%20c', '/a/b c', '/a%2Fb%20c'],
    ['/api', '', '/%61pi/a%2fb', '/a/b', '/a%2fb'],
    ['/a b', '', '/a%20b/c', '/c', '/c'],
    ['/api', '', '/x/../api/a%2Fb', '/a/b', '/a/b'],
    ['/api', '', '/api/./a%2Fb', '/a/b', '/a/b'],
    ['/api', '', '/api/a%252e%252e/b', '/a%2e%2e/b', '/a%252e%252e/b'],
    ['/api', '', '/api%2Fa%2Fb', '/a/b', '/a%2Fb'],
    ['/api', '', '/api%2f%2Fevil.example', '//evil.example', '/%2Fevil.example'],
    ['/api', '', '/api//evil.example', '/evil.example', '/evil.example'],
    ['', '/vü', '/a', '/vÃ¼/a', '/v%C3%BC/a'],
  ])('%j %j: %s is %s (%s)', (strip, add, target, path, origin) => {
    expect(outcome({ ...NONE, strip, add }, target)).toMatchObject({ path, origin })
  })

  test('programs are mounted where the new path begins', () => {
    expect(outcome({ ...NONE, strip: '/api' }, '/api/a', '/api/').prefix).toBe('/')
    expect(outcome(rule('^/api/(.*)$', '/api/v1/$1'), '/api/a', '/api/').prefix).toBe('/api/')
  })

  test('is never another path than the one that was routed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', '/', '.', '..', '%2e', '%2F', '%25', 'api', '%61', '//')),
        (parts) => {
          let whole: string
          try {
            whole = parseRequestLine(`GET /api/${parts.join('')} HTTP/1.1`).path
          } catch {
            return
          }
          const { path, origin } = outcome({ ...NONE, strip: '/api' }, `/api/${parts.join('')}`)
          const behind = whole.startsWith('/api/') ? whole.slice(4) : whole === '/api' ? '/' : whole
          const same = (text: string): string => text.replace(/^\/+/, '/')
          const resolved = parseRequestLine(
            `GET ${same(behind).replace(/[^\w./]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)} HTTP/1.1`,
          )
          expect([path, same(path!)]).toContain(same(resolved.path))
          expect(parseRequestLine(`GET ${origin} HTTP/1.1`).path).toBe(path)
          expect(path).not.toMatch(/(^|\/)\.\.?(\/|$)/)
        },
      ),
    )
  })
})

describe('rules', () => {
  test.each([
    ['^/old/(.*)$', '/new/$1', '/old/a/b?q=1', '/new/a/b?q=1'],
    ['^/old/(.*)$', '/new/$1', '/other', '/other'],
    ['^/(\\d+)/(\\w+)$', '/item?id=$1&name=$2', '/7/abc?x=y', '/item?id=7&name=abc&x=y'],
    ['^/(.*)$', '/item?p=$1?', '/a&b=c/d?x=y', '/item?p=a%26b%3Dc/d'],
    ['^/a$', '/b?', '/a?x=y', '/b'],
    ['^/(.*)$', '/$1.html', '/a%20b', '/a%20b.html'],
    // Decoded once, encoded once.
    ['^/x/(.*)$', '/$1', '/x/%252e%252e/a', '/%252e%252e/a'],
    ['^/x/(.*)$', '/$1', '/x/a%3Fb=c', '/a%3Fb=c'],
    ['^/x(.*)$', '$1', '/x//evil.example/', '/evil.example/'],
    ['^/x/(.*)$', '/y/$1', '/x/%0d%0aA:b', '/y/%0D%0AA:b'],
    ['^/f$', '/f/$arg_n', '/f?n=a%20b%2Fc', '/f/a%20b/c?n=a%20b%2Fc'],
    ['^/m$', '/$request_method/$host', '/m', '/GET/www.example.com'],
  ])('%s to %s: %s is %s', (match, to, target, origin) => {
    expect(outcome(rule(match, to), target).origin).toBe(origin)
  })

  test('the first that matches holds, and no other', () => {
    const rules = [...rule('^/a', '/b').rules, ...rule('^/b', '/c').rules]
    expect(outcome({ ...NONE, rules }, '/a').path).toBe('/b')
    expect(outcome({ ...NONE, rules }, '/b').path).toBe('/c')
  })

  test.each(['/f?n=../../etc', '/f?n=%2e%2e/secret', '/f?n=a/./b', '/f?n=..', '/f?n=a%00'])(
    'no variable climbs: %s',
    (target) => {
      expect(() => outcome(rule('^/f$', '/files/$arg_n'), target)).toThrow(PorticoError)
    },
  )

  test.each([
    ['^/a/(.*)\\.html$', '/b/$1', '/a/...html'],
    ['^/a/(.*)\\.html$', '/b/$1/c', '/a/x/...html'],
    ['^/a/(.)(.)c$', '/b/$1$2', '/a/..c'],
    ['^/a/(.*)c$', '/b/.$1', '/a/.c'],
  ])('no group climbs: %s to %s: %s', (match, to, target) => {
    expect(() => outcome(rule(match, to), target)).toThrow(PorticoError)
    const redirects = rule(match, `https://a.example${to}`, { status: 301 })
    expect(() => outcome(redirects, target)).toThrow(PorticoError)
  })

  test('dots that were resolved stay resolved', () => {
    const to = rule('^/x', '/v1$request_uri')
    expect(outcome(to, '/y/..%2Fx/a%20b?c').origin).toBe('/v1/x/a%20b?c')
  })

  test('dots above the root are refused', () => {
    expect(() => outcome(rule('^/(.*)$', '/y/$request_uri'), '/a/../../x')).toThrow(PorticoError)
  })

  test('again asks for the route anew', () => {
    expect(outcome(rule('^/a/(.*)$', '/b/$1', { again: true }), '/a/c?d')).toEqual({
      path: '/b/c',
      origin: '/b/c?d',
      again: true,
    })
  })

  test.each([
    ['^/(.*)$', '/new/$1', '/a?b', '/new/a?b'],
    ['^/(.*)$', 'https://other.example/$1', '/a?b', 'https://other.example/a?b'],
    ['^', 'https://$host$request_uri', '/a%20b?c', 'https://www.example.com/a%20b?c'],
    ['^', 'https://$host$request_uri?', '/a?c', 'https://www.example.com/a?c'],
    ['^', '$scheme://$host:8443$uri', '/a?c', 'https://www.example.com:8443/a?c'],
    // Never another host.
    ['^/(.*)$', '/$1', '//evil.example/a', '/evil.example/a'],
    ['^(.*)$', 'https://other.example$1', '/@evil.example', 'https://other.example/@evil.example'],
    ['^/(.*)$', 'https://other.example$1', '/.evil.example', 'https://other.example/.evil.example'],
    ['^/(.*)$', '/$1', '/%5Cevil.example', '/%5Cevil.example'],
    ['^/(.*)$', '/$1', '/%0d%0aSet-Cookie:a', '/%0D%0ASet-Cookie:a'],
  ])('%s to %s, elsewhere: %s is %s', (match, to, target, location) => {
    for (const status of [301, 308]) {
      expect(outcome(rule(match, to, { status }), target)).toEqual({ status, location })
    }
  })

  test.each([
    ['/a b', /no blanks/],
    ['/a#b', /#/],
    ['a', /not a path/],
    ['https://', /without a host/],
    ['https://$1.example/', /without a host/],
    ['https://a$nothing/', /no such variable/],
    ['https://a@b/', /not a URL/],
    ['/a/../b', /\. or \.\. in a path/],
    ['/a/%2e', /\. or \.\. in a path/],
    ['/$hots', /did you mean \$host/],
  ])('%j is no target', (text, why) => {
    expect(() => parseTarget(text)).toThrow(why)
  })
})

describe('expressions', () => {
  test.each([
    ['^/a/(.*)$', true],
    ['^(a+)+$', true],
    ['^(a|a)*b', true],
    ['^/a{2,500}$', true],
    ['^/[0-9a-f]{40}(/.*)?$', true],
    ['^/(?!api/)', false],
    ['^/[^/]{1,64}/(json|xml)$', true],
    ['^/\\d{32}/(.*)$', true],
    // Too large for the engine without backtracking, and slow for the other one.
    ['^/(\\w+-?){2,20}$', false],
    ['^/(a|aa){1,200}$', false],
    ['^/([a-z]{1,30})+$', false],
    ['^/[0-9a-f]{40}(a+)+$', false],
    ['^/a{40}.*b.*c$', false],
    ['a{40}b+c$', false],
    ['^/a|b{40}c+$', false],
    ['(a+)+\\1', false],
    ['(?<n>a)\\k<n>', false],
  ])('%s is linear: %j', (source, linear) => {
    expect(isLinear(source)).toBe(linear)
  })

  test('groups are counted; what is none is said', () => {
    expect(['a', '(a)(?:b)(c)', '(?<x>a)|(b)'].map(groupsOf)).toEqual([0, 2, 2])
    expect(() => groupsOf('(')).toThrow(SyntaxError)
    expect(() => isLinear('[')).toThrow(SyntaxError)
  })

  test('one without a bound meets no long path', () => {
    const plan = rule('^/(?!x)(a+)+$', '/b')
    expect(outcome(plan, '/aaa').path).toBe('/b')
    const long = `/${'a'.repeat(600)}`
    expect(outcome(plan, long).path).toBe(long)
  })
})
