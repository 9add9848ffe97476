/** W3C Trace Context, level 1: examples of the document, and whatever else may come. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatTraceparent, isRequestId, parseTraceparent } from '../../src/wire/traceparent.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'

describe('a traceparent', () => {
  test.each([
    [`00-${TRACE}-${PARENT}-01`, true],
    [`00-${TRACE}-${PARENT}-00`, false],
    // §3.2.2.5.2: other flags than the one of this version mean nothing.
    [`00-${TRACE}-${PARENT}-ff`, true],
    [`00-${TRACE}-${PARENT}-fe`, false],
    // §4.3: what is known of 00 is read of later versions.
    [`cc-${TRACE}-${PARENT}-01`, true],
    [`cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`, true],
  ])('%s', (text, sampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, parentId: PARENT, sampled })
  })

  test.each([
    ['', 'nothing'],
    [`00-${TRACE}-${PARENT}`, 'no flags'],
    [`00-${TRACE}-${PARENT}-1`, 'too short'],
    [`00-${TRACE}-${PARENT}-01-`, 'more behind version 00'],
    [`00-${TRACE}-${PARENT}-01-x`, 'more behind version 00'],
    [`00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`, 'two of them'],
    [`cc-${TRACE}-${PARENT}-01.x`, 'more without a dash'],
    [`ff-${TRACE}-${PARENT}-01`, 'the version that is none'],
    [`00-${TRACE.toUpperCase()}-${PARENT}-01`, 'upper case'],
    [`00-${'0'.repeat(32)}-${PARENT}-01`, 'no trace'],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, 'no parent'],
    [`00-${TRACE.slice(1)}g-${PARENT}-01`, 'no hex'],
    [` 00-${TRACE}-${PARENT}-01`, 'a blank before'],
    [`00_${TRACE}_${PARENT}_01`, 'other separators'],
  ])('%s is none: %s', (text) => {
    expect(parseTraceparent(text)).toBeNull()
  })

  test('what is written is read again', () => {
    const hex = (size: number): fc.Arbitrary<string> =>
      fc
        .uint8Array({ minLength: size, maxLength: size })
        .map((bytes) => Buffer.from(bytes).toString('hex'))
        .filter((text) => !/^0+$/.test(text))
    fc.assert(
      fc.property(hex(16), hex(8), fc.boolean(), (traceId, parentId, sampled) => {
        const parent = { traceId, parentId, sampled }
        expect(parseTraceparent(formatTraceparent(parent))).toEqual(parent)
      }),
    )
  })

  test('whatever comes: none, or one that can be written again', () => {
    const almost = fc.tuple(fc.nat(60), fc.string({ maxLength: 4 })).map(([at, text]) => {
      const whole = `00-${TRACE}-${PARENT}-01`
      return whole.slice(0, at) + text + whole.slice(at + text.length)
    })
    fc.assert(
      fc.property(fc.oneof(fc.string(), almost), (text) => {
        const parent = parseTraceparent(text)
        if (parent === null) return
        expect(parent.traceId).toMatch(/^[0-9a-f]{32}$/)
        expect(parent.parentId).toMatch(/^[0-9a-f]{16}$/)
        expect(parseTraceparent(formatTraceparent(parent))).toEqual(parent)
      }),
    )
  })
})

test('a request id that may go into logs', () => {
  for (const id of ['a', 'f3b1', '0af7651916cd43dd', 'Root=1-67891233-abc', 'a/b+c:d@e~f._-']) {
    expect(isRequestId(id)).toBe(true)
  }
  for (const id of ['', '-a', 'a b', 'a"b', 'a\nb', 'a, b', 'ä', '$(id)', 'a'.repeat(129)]) {
    expect(isRequestId(id)).toBe(false)
  }
})
