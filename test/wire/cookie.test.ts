import { expect, it } from 'vitest'
import { changeCookie, cookieValue } from '../../src/wire/cookie.ts'

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
  // The last byte of a letter in UTF-8 is no blank.
  ['a=Voil\xc3\xa0; b=2', 'a', 'Voil\xc3\xa0'],
])('of %j the cookie %s is %j', (field, name, value) => {
  expect(cookieValue(field, name)).toBe(value)
})

it('what is beside a changed cookie stays, to the last byte', () => {
  expect(changeCookie('x=\xc3\xa0; a=1; y=\xa0', 'a', () => null)).toBe('x=\xc3\xa0; y=\xa0')
})
