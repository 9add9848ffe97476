import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { redirect } from '../../src/handlers/redirect.ts'
import type { RouteMatch } from '../../src/site/plan.ts'
import { ask } from './ask.ts'
import { type Served, serve } from './serve.ts'

const all: Served[] = []
afterAll(() => {
  for (const served of all) served.close()
})

async function site(to: string, pattern = '', status = 301): Promise<number> {
  const match: RouteMatch =
    pattern === '' ? { kind: 'prefix', path: '/' } : { kind: 'regex', path: pattern }
  const served = await serve(redirect({ kind: 'redirect', to, status }), match)
  all.push(served)
  return served.port
}

const HOST = { Host: 'Shop.Example:8080' }

test.each([
  // As written: the query is dropped unless it is asked for.
  ['/new', '', '/old?a=1', '/new'],
  ['https://example.org/x y?ü#f', '', '/', 'https://example.org/x%20y?%C3%BC#f'],
  [
    'https://$host$path$query',
    '',
    '/a%20b/c%2Fd?x=1&y=%20',
    'https://shop.example/a%20b/c%2Fd?x=1&y=%20',
  ],
  ['https://$host$path$query', '', '/a', 'https://shop.example/a'],
  ['/new$query', '', '/old?a=1', '/new?a=1'],
  ['/new?b=2$query', '', '/old?a=1', '/new?b=2&a=1'],
  ['/new?$query', '', '/old?a=1', '/new?a=1'],
  ['/new?b=2$query', '', '/old', '/new?b=2'],
  ['/login?next=$path', '', '/a&b/c', '/login?next=/a%26b/c'],
  ['/p/$2/$1', '^/(\\w+)/(\\w+)$', '/a/b', '/p/b/a'],
  ['/p/$1', '^/([^]*)$', '/%C3%BC%0d%0aX:y', '/p/%C3%BC%0D%0AX:y'],
  ['/s?q=$1', '^/(.*)$', '/a&b=c+d%23', '/s?q=a%26b%3Dc%2Bd%23'],
  ['/p/$9', '^/(.*)$', '/a', '/p/'],
  ['https://$1.example.com/', '^/(\\w+)$', '/de', 'https://de.example.com/'],
  ['/cost$', '', '/', '/cost$'],
  ['../$1', '^/a/(.*)$', '/a/b', '../b'],
  // Nothing that a visitor sends names another host.
  ['$path', '', '//evil.example/', '/evil.example/'],
  ['$path', '', '/\\evil.example/', '/%5Cevil.example/'],
  ['/$1', '^/go/(.*)$', '/go//evil.example', '/evil.example'],
  ['$1', '^/go/(.*)$', '/go/https://evil.example', '/https://evil.example'],
  ['$1', '^/go/(.*)$', '/go/%5C%5Cevil.example', '/%5C%5Cevil.example'],
  [
    'https://www.example.com$1',
    '^/go(.*)$',
    '/go.evil.example',
    'https://www.example.com/.evil.example',
  ],
  [
    'https://www.example.com$1',
    '^/go(.*)$',
    '/go@evil.example',
    'https://www.example.com/@evil.example',
  ],
  ['https://www.example.com$1', '^/go(.*)$', '/go/x', 'https://www.example.com/x'],
])('%s (route %j) for %s: %s', async (to, pattern, path, expected) => {
  const answer = await ask(await site(to, pattern), path, HOST)
  expect(answer.status).toBe(301)
  expect(answer.headers.location).toBe(expected)
  expect(answer.body.length).toBe(0)
})

test('a capture that is no part of a host name is refused there', async () => {
  const port = await site('https://$1.example.com/', '^/(.*)$')
  for (const path of ['/evil.example%2F', '/a@evil.example', '/a%23', '/a%3F']) {
    expect((await ask(port, path, HOST)).status).toBe(400)
  }
})

test.each([301, 302, 303, 307, 308])('status %d, for every method', async (status) => {
  const port = await site('/new', '', status)
  for (const method of ['GET', 'HEAD', 'POST', 'PUT']) {
    const answer = await ask(port, '/', HOST, method)
    expect([answer.status, answer.headers.location]).toEqual([status, '/new'])
  }
})

test('whatever the path: one Location, on this host, without control characters', async () => {
  const ports = await Promise.all([
    site('$path$query'),
    site('$1', '^/(.*)$'),
    site('/$1$query', '^(.*)$'),
  ])
  const byte = fc.oneof(
    fc.constantFrom(
      '/',
      '\\',
      '//',
      ':',
      '@',
      '.',
      '..',
      '%0d%0a',
      '%2f',
      '%5c',
      '%09',
      'http:',
      '?',
    ),
    fc.integer({ min: 1, max: 255 }).map((n) => `%${n.toString(16).padStart(2, '0')}`),
    fc.constantFrom(...'abc$&=+;,!~'),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(byte, { maxLength: 12 }), fc.nat(2), async (bytes, which) => {
      const answer = await ask(ports[which]!, `/${bytes.join('')}`, { Host: 'here.example' })
      // Above the root, or a path that the expression's `.` does not match.
      if (answer.status === 400 || answer.status === 404) return
      expect(answer.status).toBe(301)
      const location = String(answer.headers.location)
      expect(location).toMatch(/^[\x21-\x7e]+$/)
      expect(new URL(location, 'http://here.example/').host).toBe('here.example')
      expect(answer.headers['set-cookie']).toBeUndefined()
    }),
    { numRuns: 400 },
  )
})
