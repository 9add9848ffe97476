import { expect, test } from 'vitest'
import { askedBy } from '../../../src/handlers/files/asked.ts'
import { judge } from '../../../src/handlers/files/conditional.ts'
import { formatHttpDate } from '../../../src/wire/http-date.ts'
import { parseRequestFields } from '../../../src/wire/request-fields.ts'

const MODIFIED = 784_111_777
const STRONG = { etag: '"a-1"', modified: MODIFIED }
const WEAK = { etag: 'W/"a-1"', modified: MODIFIED }
const SAME = formatHttpDate(MODIFIED)
const LATER = formatHttpDate(MODIFIED + 1)
const EARLIER = formatHttpDate(MODIFIED - 1)

function verdict(fields: Record<string, string>, current = STRONG): string {
  const block = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return judge(askedBy(parseRequestFields(block.join(''), 0, 100)), current)
}

test.each([
  [{}, 'send'],
  // If-None-Match compares weakly.
  [{ 'If-None-Match': '"a-1"' }, 'not-modified'],
  [{ 'If-None-Match': 'W/"a-1"' }, 'not-modified'],
  [{ 'If-None-Match': '"x", "a-1"' }, 'not-modified'],
  [{ 'If-None-Match': '"x,\\"a-1" , W/"a-1"' }, 'not-modified'],
  [{ 'If-None-Match': '*' }, 'not-modified'],
  [{ 'If-None-Match': '"a-2"' }, 'send'],
  [{ 'If-None-Match': 'a-1' }, 'send'],
  // A date counts only without a tag.
  [{ 'If-None-Match': '"a-2"', 'If-Modified-Since': SAME }, 'send'],
  [{ 'If-Modified-Since': SAME }, 'not-modified'],
  [{ 'If-Modified-Since': LATER }, 'not-modified'],
  [{ 'If-Modified-Since': EARLIER }, 'send'],
  [{ 'If-Modified-Since': 'never' }, 'send'],
  // If-Match compares strongly, and outranks If-Unmodified-Since.
  [{ 'If-Match': '"a-1"' }, 'send'],
  [{ 'If-Match': '*' }, 'send'],
  [{ 'If-Match': 'W/"a-1"' }, 'failed'],
  [{ 'If-Match': '"a-2"' }, 'failed'],
  [{ 'If-Match': '"a-1"', 'If-Unmodified-Since': EARLIER }, 'send'],
  [{ 'If-Unmodified-Since': EARLIER }, 'failed'],
  [{ 'If-Unmodified-Since': SAME }, 'send'],
  [{ 'If-Unmodified-Since': 'never' }, 'send'],
  // Both sides: first may it be answered at all, then is it needed.
  [{ 'If-Match': '"a-2"', 'If-None-Match': '"a-1"' }, 'failed'],
  [{ 'If-Match': '"a-1"', 'If-None-Match': '"a-1"' }, 'not-modified'],
  // If-Range.
  [{ Range: 'bytes=0-1', 'If-Range': '"a-1"' }, 'send'],
  [{ Range: 'bytes=0-1', 'If-Range': '"a-2"' }, 'whole'],
  [{ Range: 'bytes=0-1', 'If-Range': 'W/"a-1"' }, 'whole'],
  [{ Range: 'bytes=0-1', 'If-Range': SAME }, 'send'],
  [{ Range: 'bytes=0-1', 'If-Range': LATER }, 'whole'],
  [{ Range: 'bytes=0-1', 'If-Range': 'never' }, 'whole'],
] as const)('%j: %s', (fields, expected) => {
  expect(verdict(fields)).toBe(expected)
})

test.each([
  [{ 'If-None-Match': '"a-1"' }, 'not-modified'],
  [{ 'If-None-Match': 'W/"a-1"' }, 'not-modified'],
  [{ 'If-Match': 'W/"a-1"' }, 'failed'],
  [{ 'If-Match': '"a-1"' }, 'failed'],
  [{ Range: 'bytes=0-1', 'If-Range': 'W/"a-1"' }, 'whole'],
  [{ Range: 'bytes=0-1', 'If-Range': SAME }, 'whole'],
] as const)('a weak tag, %j: %s', (fields, expected) => {
  expect(verdict(fields, WEAK)).toBe(expected)
})
