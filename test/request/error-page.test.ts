/** What visitors see of errors: in the form they asked for, and no more than concerns them. */
import { describe, expect, test } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { errorPage } from '../../src/request/error-page.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'

function page(
  error: PorticoError,
  accept: string | null,
  dev = false,
): { type: string; text: string; fields: string } {
  const block = accept === null ? '' : `Accept: ${accept}\r\n`
  const fields = parseRequestFields(`Host: a\r\n${block}`, 1, 10)
  const { head, body } = errorPage(error, fields, dev)
  expect(head.status).toBe(error.status)
  return {
    type: /^Content-Type: ([a-z/]+)/m.exec(head.fields)![1]!,
    text: body.toString(),
    fields: head.fields,
  }
}

const notFound = new PorticoError('NOT_FOUND')

test.for<[string | null, string]>([
  [null, 'text/plain'],
  ['*/*', 'text/plain'],
  ['', 'text/plain'],
  ['text/html', 'text/html'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8', 'text/html'],
  ['application/json', 'application/json'],
  ['application/json, text/plain, */*', 'application/json'],
  ['application/problem+json', 'application/json'],
  ['text/html;q=0.1, application/json', 'application/json'],
  ['application/json;q=0, text/html;q=0.5', 'text/html'],
  ['text/html;q=0', 'text/plain'],
  ['TEXT/HTML', 'text/html'],
  ['text/html;level=1', 'text/html'],
  ['text/htmlx, x/text/html', 'text/plain'],
  ['image/png', 'text/plain'],
  [';;,,q=;=', 'text/plain'],
])('Accept: %s', ([accept, type]) => {
  expect(page(notFound, accept).type).toBe(type)
})

describe('details', () => {
  const secret = new PorticoError('BACKEND_REFUSED', 'connect 10.0.0.7:5432')
  const own = new PorticoError('BAD_HOST', '"<script>alert(1)</script>"')

  test.for(['text/html', 'application/json', 'text/plain'])(
    'of what is behind us are not for visitors, in %s',
    (accept) => {
      expect(page(secret, accept).text).not.toMatch(/10\.0|backend|refused/)
      expect(page(new PorticoError('APP_FAILED', 'Traceback'), accept).text).not.toMatch(
        /Trace|app/,
      )
      expect(page(new PorticoError('INTERNAL', 'bug'), accept).text).not.toContain('bug')
      expect(page(new PorticoError('SPOOL_FAILED', '/var/spool'), accept).text).not.toContain(
        '/var',
      )
      expect(page(secret, accept, true).text).toContain('10.0.0.7:5432')
    },
  )

  test('of their own request are, made harmless', () => {
    const { text, fields } = page(own, 'text/html')
    expect(text).not.toContain('<script>')
    expect(text).toContain('&#60;script&#62;')
    expect(fields).toContain('X-Content-Type-Options: nosniff')
    expect(JSON.parse(page(own, 'application/json').text)).toEqual({
      error: {
        status: 400,
        code: 'BAD_HOST',
        message: 'missing or malformed Host: "<script>alert(1)</script>"',
      },
    })
  })
})

test('nobody keeps an error, and 503 says when to come back', () => {
  expect(page(notFound, null).fields).toContain('Cache-Control: no-store')
  expect(page(notFound, null).fields).not.toContain('Retry-After')
  expect(page(new PorticoError('QUEUE_FULL'), null).fields).toContain('Retry-After: 1')
})
