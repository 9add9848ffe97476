import { expect, it } from 'vitest'
import { cookieValue } from '../../src/wire/cookie.ts'

it.each([
  ['a=1', 'a', '1'],
  ['a=1; b=2;c=3', 'b', '2'],
  ['a=1; b=2;c=3', 'c', '3'],
  ['aa=1; a=2', 'a', '2'],
  ['a=1; a=2', 'a', '1'],
  ['a="x=y"; b=', 'a', '"x=y"'],
  ['a="x=y"; b=', 'b', ''],
  ['b=a=1', 'a', ''],
  [' \ta=1 ;', 'a', '1'],
  [';;=;a', 'a', ''],
  ['', 'a', ''],
])('of %j the cookie %s is %j', (field, name, value) => {
  expect(cookieValue(field, name)).toBe(value)
})
