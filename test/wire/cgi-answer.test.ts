import { describe, expect, it } from 'vitest'
import { cgiHeadEnd, parseCgiAnswer } from '../../src/wire/cgi-answer.ts'

/** What is said of a head, with its lines ended by each of the ways that RFC 3875 lets be. */
function facts(lines: readonly string[]): ReturnType<typeof parseCgiAnswer> {
  const [crlf, lf] = ['\r\n', '\n'].map((end) =>
    parseCgiAnswer(
      [...lines, '', ''].join(end).slice(0, lines.length === 0 ? end.length : undefined),
      100,
    ),
  )
  expect(lf).toEqual(crlf)
  return crlf!
}

describe('the head of a CGI answer', () => {
  it('has its status from Status, from Location or by default', () => {
    expect(facts(['Content-Type: a/b'])).toMatchObject({ status: 200, reason: '' })
    expect(facts(['Status: 404 Not Found'])).toMatchObject({ status: 404, reason: 'Not Found' })
    expect(facts(['status:404'])).toMatchObject({ status: 404, reason: '' })
    expect(facts(['Location: http://a/'])).toMatchObject({ status: 302, local: false })
    expect(facts(['Location: //a/b'])).toMatchObject({ status: 302, local: false })
    expect(facts(['Location: /a?b'])).toMatchObject({ status: 302, local: true, location: '/a?b' })
    expect(facts(['Status: 301 x', 'Location: /a'])).toMatchObject({ status: 301, local: false })
    expect(facts(['HTTP/1.0 201 Made', 'X: y'])).toMatchObject({
      status: 201,
      reason: 'Made',
      raw: 'X: y\r\n',
    })
  })

  it('has its fields as they were written, and its length', () => {
    expect(facts(['X-A: b', 'Content-Length: 12', 'x-a:  c '])).toMatchObject({
      raw: 'X-A: b\r\nContent-Length: 12\r\nx-a:  c \r\n',
      values: ['b', '12', 'c'],
      contentLength: 12,
    })
  })

  it.each([
    [''],
    ['no colon'],
    [' X: y'],
    ['X : y'],
    ['X: y', ' folded'],
    ['X: a\0b'],
    ['X: a\rb'],
    ['X: \x7f'],
    ['Status: 99'],
    ['Status: 100 Continue'],
    ['Status: 600'],
    ['Status: 2000'],
    ['Status:'],
    ['Status: 200 OK', 'Status: 404'],
    ['HTTP/1.1 200 OK', 'Status: 404'],
    ['HTTP/1.1 nonsense', 'X: y'],
    ['Location: /a', 'Location: /b'],
    ['Content-Length: 1, 2'],
    ['Content-Length: 0x1'],
    Array.from({ length: 101 }, (_, i) => `X-${i}: y`),
  ])('is refused as %j', (...lines) => {
    expect(() => parseCgiAnswer(`${lines.join('\r\n')}\r\n\r\n`, 100)).toThrow(
      expect.objectContaining({ code: 'BACKEND_LIED' }),
    )
  })

  it('ends at its first empty line, whichever way lines end', () => {
    for (const end of ['\n\n', '\r\n\r\n', '\r\n\n', '\n\r\n']) {
      const text = `A: b\r\nC: d${end}E: f\n\n`
      expect(cgiHeadEnd(text, 0)).toBe(text.indexOf('E'))
    }
    for (const text of ['', 'A: b', 'A: b\n', 'A: b\r\n', 'A: b\r\n\r', 'A: b\r\r', 'A: b\n\rC']) {
      expect(cgiHeadEnd(text, 0)).toBe(-1)
    }
  })
})
