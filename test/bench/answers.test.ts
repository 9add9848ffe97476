import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Answer, AnswerReader } from '../../bench/load/answers.ts'

/** The answers that a reader finds when the text comes in the given pieces. */
function readAll(pieces: readonly string[]): Answer[] {
  const reader = new AnswerReader()
  return pieces.map((piece) => reader.read(piece)).filter((answer) => answer !== undefined)
}

const WITH_LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
const CHUNKED =
  'HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
const EMPTY = 'HTTP/1.1 304 Not Modified\r\n\r\n'

test.each([
  [WITH_LENGTH, { status: 200, closes: false }],
  [CHUNKED, { status: 502, closes: true }],
  [EMPTY, { status: 304, closes: false }],
])('an answer is whole only with its last byte, wherever it is cut', (text, answer) => {
  for (let cut = 1; cut < text.length; cut++) {
    expect(readAll([text.slice(0, cut)])).toEqual([])
    expect(readAll([text.slice(0, cut), text.slice(cut)])).toEqual([answer])
  }
})

test('answers one after another are all counted', () => {
  const bodies = fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 50 }), { minLength: 1 })
  fc.assert(
    fc.property(bodies, (all) => {
      const answers = all.map(
        (body) => `HTTP/1.1 200 OK\r\ncontent-length:${body.length}\r\n\r\n${body}`,
      )
      expect(readAll(answers)).toHaveLength(all.length)
    }),
  )
})

test('what is no chunk size is an error, not an endless wait', () => {
  const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'
  expect(() => readAll([text])).toThrow('not a chunk size')
})
