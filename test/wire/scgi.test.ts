import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeHeaders, encodeScgi, ScgiDecoder } from '../../src/wire/scgi.ts'
import { decodeBlock, everySplit } from './split.ts'

const decode = (pieces: readonly Buffer[], most = 65_535): [ScgiDecoder, string, string] =>
  decodeBlock(new ScgiDecoder(most), pieces)

describe('an SCGI head', () => {
  it('is encoded as the protocol’s own example', () => {
    const pairs = ['REQUEST_METHOD', 'POST', 'REQUEST_URI', '/deepthought']
    expect(encodeScgi(27, pairs).toString('latin1')).toBe(
      '70:CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0REQUEST_URI\0/deepthought\0,',
    )
  })

  it('comes back as it was, whatever pieces it comes in', () => {
    const bytes = Buffer.concat([encodeScgi(4, ['A', '', 'B', 'é']), Buffer.from('body')])
    everySplit(bytes, (pieces) => {
      const [decoder, block, rest] = decode(pieces)
      expect(decoder.done).toBe(true)
      expect(decodeHeaders(block)).toEqual(['CONTENT_LENGTH', '4', 'SCGI', '1', 'A', '', 'B', 'é'])
      expect(rest).toBe('body')
    })
  })

  it('comes back as it was, whatever it holds', () => {
    const text = (minLength: number): fc.Arbitrary<string> =>
      fc
        .array(fc.integer({ min: 1, max: 255 }), { minLength, maxLength: 50 })
        .map((bytes) => Buffer.from(bytes).toString('latin1'))
    const entries = fc
      .uniqueArray(fc.tuple(text(1), text(0)), { selector: ([name]) => name, maxLength: 20 })
      .filter((list) => list.every(([name]) => name !== 'SCGI' && name !== 'CONTENT_LENGTH'))
    fc.assert(
      fc.property(entries, fc.nat(), fc.nat(300), (list, length, at) => {
        const bytes = encodeScgi(length, list.flat())
        const [, block] = decode([bytes.subarray(0, at), bytes.subarray(at)])
        expect(decodeHeaders(block).slice(4)).toEqual(list.flat())
      }),
    )
  })

  it('that is larger than allowed is read over', () => {
    const bytes = Buffer.concat([encodeScgi(4, ['A', 'x'.repeat(50)]), Buffer.from('body')])
    everySplit(bytes, (pieces) => {
      const [decoder, block, rest] = decode(pieces, 40)
      expect([decoder.done, block, rest]).toEqual([true, 'skipped', 'body'])
    })
  })

  it.each([':', 'x:', '01:', '1234567890:', '-1:', '5;', '\n5:', '3:abc;', 'GET / HTTP/1.1'])(
    'whose netstring is none is refused: %j',
    (text) => {
      everySplit(Buffer.from(text), (pieces) => {
        expect(() => decode(pieces)).toThrow('malformed')
      })
    },
  )

  it.each([
    '',
    'CONTENT_LENGTH',
    'CONTENT_LENGTH\0',
    'CONTENT_LENGTH\x000\0',
    'CONTENT_LENGTH\x000\0SCGI\x001',
    'CONTENT_LENGTH\x000\0SCGI\x002\0',
    'SCGI\x001\0CONTENT_LENGTH\x000\0',
    'CONTENT_LENGTH\x000\0SCGI\x001\0\0x\0',
    'CONTENT_LENGTH\x000\0SCGI\x001\0A\0',
  ])('whose headers are not in order is refused: %j', (text) => {
    expect(() => decodeHeaders(text)).toThrow('malformed')
  })

  it.each([[['A\0B', 'x']], [['A', 'x\0y']], [['', 'x']], [['SCGI', '1']], [['A', '1', 'A', '2']]])(
    'does not say what it cannot say: %j',
    (pairs) => {
      expect(() => encodeScgi(0, pairs)).toThrow('malformed')
    },
  )
})
