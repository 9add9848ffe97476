import { expect, test } from 'vitest'
import { formatHttpDate, parseHttpDate } from '../../src/wire/http-date.ts'

const SECONDS = 784_111_777

test('the three forms of RFC 9110 name the same second', () => {
  expect(parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT')).toBe(SECONDS)
  expect(parseHttpDate('Sunday, 06-Nov-94 08:49:37 GMT')).toBe(SECONDS)
  expect(parseHttpDate('Sun Nov  6 08:49:37 1994')).toBe(SECONDS)
  expect(formatHttpDate(SECONDS)).toBe('Sun, 06 Nov 1994 08:49:37 GMT')
})

test('a leap second is the second before it', () => {
  expect(parseHttpDate('Sat, 31 Dec 2016 23:59:60 GMT')).toBe(
    Date.UTC(2016, 11, 31, 23, 59, 59) / 1e3,
  )
})

test.each([
  '',
  'yesterday',
  '1994-11-06T08:49:37Z',
  'Sun, 06 Nov 1994 08:49:37',
  'Sun, 06 Nov 1994 08:49:37 UTC',
  'Sun, 6 Nov 1994 08:49:37 GMT',
  'Sun, 31 Apr 1994 08:49:37 GMT',
  'Sun, 06 Foo 1994 08:49:37 GMT',
  'Sun, 06 Nov 1994 24:49:37 GMT',
  'Sun, 06 Nov 1994 08:60:37 GMT',
])('no date: %j', (text) => {
  expect(parseHttpDate(text)).toBe(-1)
})
