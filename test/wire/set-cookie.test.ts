import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { changeCookie, cookieValue } from '../../src/wire/cookie.ts'
import { attributesAt, changeValues, findSetCookies } from '../../src/wire/set-cookie.ts'

function values(fields: string, name: string): string[] {
  return (findSetCookies(fields, name) ?? []).map(({ from, to }) => fields.slice(from, to))
}

describe('Set-Cookie', () => {
  it.each([
    ['Set-Cookie: sid=1\r\n', ['1']],
    ['set-cookie:sid=1; Path=/\r\n', ['1']],
    ['SET-COOKIE: \t sid=a b ; Path=/\r\nX: y\r\nSet-Cookie: sid=2\r\n', ['a b', '2']],
    ['Set-Cookie: sid=\r\n', ['']],
    ['Set-Cookie: sid="quoted"; Secure\r\n', ['"quoted"']],
    ['Set-Cookie: SID=1\r\n', []],
    ['Set-Cookie: sid\r\nX: =1\r\n', []],
    ['Set-Cookie: xsid=1\r\nSet-Cookies: sid=1\r\nCookie: sid=1\r\n', []],
    ['Set-Cookie: sidx=1\r\n', []],
    ['X: Set-Cookie: sid=1\r\n', []],
    ['', []],
  ])('%j', (fields, found) => {
    expect(values(fields, 'sid')).toEqual(found)
  })

  it('is changed in its value alone', () => {
    const fields = 'A: b\r\nSet-Cookie: sid=1; Path=/\r\nSet-Cookie: x=2\r\nset-cookie: sid=3\r\n'
    const places = findSetCookies(fields, 'sid')!
    expect(changeValues(fields, places, (value) => `<${value}>`)).toBe(
      'A: b\r\nSet-Cookie: sid=<1>; Path=/\r\nSet-Cookie: x=2\r\nset-cookie: sid=<3>\r\n',
    )
    expect(attributesAt(fields, places[0]!)).toBe('; Path=/')
    expect(attributesAt(fields, places[1]!)).toBe('')
  })

  it('is found whatever stands around it', () => {
    const line = fc.stringMatching(/^[!-9;-~][ -~]{0,30}$/).map((text) => `${text}\r\n`)
    const name = fc.constantFrom('a', 'sid', '.*', '__Host-x')
    fc.assert(
      fc.property(
        fc.array(line),
        name,
        fc.stringMatching(/^[!#-:<-~]{0,20}$/),
        (lines, key, value) => {
          const before = lines.join('')
          const fields = `${before}Set-Cookie: ${key}=${value}; Path=/\r\n${before}`
          expect(values(fields, key)).toContain(value)
          const places = findSetCookies(fields, key)!
          expect(changeValues(fields, places, (same) => same)).toBe(fields)
        },
      ),
    )
  })
})

describe('a cookie of a request', () => {
  it.each([
    ['sid=1', '<1>', ''],
    ['a=b; sid=1; c=d', 'a=b; sid=<1>; c=d', 'a=b; c=d'],
    ['a=b;sid=1 ;;sid=2', 'a=b; sid=<1>; sid=<2>', 'a=b'],
    ['xsid=1; a=sid=3', 'xsid=1; a=sid=3', 'xsid=1; a=sid=3'],
    ['sid', 'sid', 'sid'],
  ])('is changed, or taken out: %j', (field, changed, without) => {
    const expected = changed === '<1>' ? 'sid=<1>' : changed
    expect(changeCookie(field, 'sid', (value) => `<${value}>`)).toBe(expected)
    expect(changeCookie(field, 'sid', () => null)).toBe(without)
    expect(changeCookie(field, 'sid', (value) => value)).toBe(field)
  })

  it('is gone when it was taken out, whatever the field', () => {
    const part = fc.oneof(
      fc.stringMatching(/^[ -~]{0,12}$/),
      fc.constant('sid=1'),
      fc.constant(' sid=x'),
    )
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const rest = changeCookie(parts.join(';'), 'sid', () => null)
        expect(cookieValue(rest, 'sid')).toBe('')
      }),
    )
  })
})
