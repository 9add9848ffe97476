/** Which cookies of an answer name a session that is worth knowing. */
import { expect, test } from 'vitest'
import { learned } from '../../src/persistence/learned.ts'
import { Belongings } from '../../src/persistence/table.ts'
import type { Exchange } from '../../src/request/exchange.ts'
import { parseRequestFields } from '../../src/wire/request-fields.ts'

/** Whether a visitor whom server 3 has told `Set-Cookie: sid=s1…` is known as its own. */
function learns(attributes: string): boolean {
  const table = new Belongings(Belongings.allocate(100), 60)
  const { through } = learned({ cookie: 'sid', query: '', fromRequests: false }, table)
  const fields = parseRequestFields('Host: a\r\n', 1, 10)
  const visitor = { fields, respond: () => {} } as unknown as Exchange
  const head = { status: 200, reason: '', fields: `Set-Cookie: sid=s1${attributes}\r\n`, has: 0 }
  through!(visitor, 3).respond(head, Buffer.alloc(0))
  return table.find('s1') === 3
}

test.each(['', '; Path=/', '; Max-Age=60', '; max-age=01', '; HttpOnly; Max-Age = 10; Path=/'])(
  'one that stays: %j',
  (attributes) => expect(learns(attributes)).toBe(true),
)

test.each([
  '; Max-Age=0',
  '; max-age = 00 ; Path=/',
  '; Max-Age="0"',
  '; Max-Age=-1',
  '; Max-Age=',
])('one that is taken back: %j', (attributes) => expect(learns(attributes)).toBe(false))

test('however long a line is', () => {
  const began = performance.now()
  learns(`; Max-Age=${' '.repeat(30_000)}x`)
  expect(performance.now() - began).toBeLessThan(500)
})
