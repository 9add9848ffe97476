/** What a request line means for those who route, and for those who answer. */
import { expect, test } from 'vitest'
import { parseRequestLine } from '../../src/wire/request-line.ts'

const asked = (target: string): { path: string; origin: string; target: string } => {
  const { path, origin, target: told } = parseRequestLine(`GET ${target} HTTP/1.1`)
  return { path, origin, target: told }
}

test.each([
  ['/admin/..%2fpublic?a=../b', '/public', '/public?a=../b'],
  ['/admin/../public/', '/public/', '/public/'],
  ['/a/./b%20c', '/a/b c', '/a/b%20c'],
  ['/a/%2e%2E/b', '/b', '/b'],
  ['http://example.com/x/../y?', '/y', '/y?'],
  ['/x\\..\\admin?\\', '/x\\..\\admin', '/x%5C..%5Cadmin?\\'],
])('%s: a route and a server behind it mean the same path', (target, path, origin) => {
  expect(asked(target)).toEqual({ path, origin, target })
})

test.each([
  ['/a%2Fb%20c?x=%2e', '/a/b c'],
  ['/a/.well-known/..b', '/a/.well-known/..b'],
  ['/%252e%252e/x', '/%2e%2e/x'],
])('%s has no dot segments, and is passed on as it came', (target, path) => {
  expect(asked(target)).toEqual({ path, origin: target, target })
})
