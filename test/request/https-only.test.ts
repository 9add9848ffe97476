/** Who comes without TLS, and what is promised to who comes with it. */
import { describe, expect, it } from 'vitest'
import type { AnswerHead, Exchange } from '../../src/request/exchange.ts'
import { HttpsOnly } from '../../src/request/https-only.ts'

interface Asked {
  readonly scheme?: 'http' | 'https'
  readonly method?: string
  readonly host?: string
  readonly origin?: string
}

/** What a request is answered, or what an answer to it becomes. */
function ask(rule: HttpsOnly, asked: Asked, plainly = false): AnswerHead | Exchange['edit'] {
  const { scheme = 'http', method = 'GET', host = 'example.com', origin = '/a?b=c' } = asked
  let answer: AnswerHead | null = null
  const exchange = {
    peer: { scheme },
    line: { method, host: '', origin },
    fields: { host },
    edit: null as Exchange['edit'],
    respond: (head: AnswerHead) => {
      answer = head
    },
  }
  const taken = rule.takes(exchange as unknown as Exchange, plainly)
  expect(taken).toBe(answer !== null)
  return answer ?? exchange.edit
}

describe('a site for TLS alone', () => {
  const rule = new HttpsOnly(8443, null)
  it.each([
    [{}, 301, 'https://example.com:8443/a?b=c'],
    [{ method: 'HEAD' }, 301, 'https://example.com:8443/a?b=c'],
    [{ method: 'POST' }, 308, 'https://example.com:8443/a?b=c'],
    [{ origin: '//evil.example/%0d' }, 301, 'https://example.com:8443//evil.example/%0d'],
    [{ origin: '/\xe4 b' }, 301, 'https://example.com:8443/%E4%20b'],
    [{ host: '[::1]' }, 301, 'https://[::1]:8443/a?b=c'],
  ] as const)('sends %j with %i to %s', (asked, status, location) => {
    expect(ask(rule, asked)).toMatchObject({ status, fields: `Location: ${location}\r\n` })
  })

  it('leaves the usual port out', () => {
    const usual = ask(new HttpsOnly(443, null), {})
    expect(usual).toMatchObject({ fields: 'Location: https://example.com/a?b=c\r\n' })
  })

  it('lets go on who has TLS, what answers plainly, and who names no host', () => {
    expect(ask(rule, { scheme: 'https' })).toBeNull()
    expect(ask(rule, {}, true)).toBeNull()
    expect(ask(rule, { host: '' })).toBeNull()
    expect(ask(new HttpsOnly(0, null), {})).toBeNull()
  })
})

describe('a promise', () => {
  const hsts = { maxAgeSeconds: 60, includeSubdomains: true, preload: true }
  const rule = new HttpsOnly(0, hsts)
  const line = 'Strict-Transport-Security: max-age=60; includeSubDomains; preload\r\n'
  const head: AnswerHead = { status: 200, reason: '', fields: 'A: b\r\n', has: 0 }

  it('is in every answer over TLS, and in no other', () => {
    const edit = ask(rule, { scheme: 'https' }) as NonNullable<Exchange['edit']>
    expect(edit(head)).toEqual({ ...head, fields: `A: b\r\n${line}` })
    // The same for the same, so that gateways remember what they made of it.
    expect(edit(head)).toBe(edit(head))
    expect(ask(rule, {})).toBeNull()
  })

  it('is the application’s own where it made one', () => {
    const edit = ask(rule, { scheme: 'https' }) as NonNullable<Exchange['edit']>
    const own = { ...head, fields: 'strict-transport-security: max-age=1\r\n' }
    expect(edit(own)).toBe(own)
  })
})
