import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeVariables,
  encodePacket,
  MOST_VARIABLES,
  PacketDecoder,
} from '../../src/wire/uwsgi.ts'
import { decodeBlock, everySplit } from './split.ts'

const latin1 = (minLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength, maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const pairs = fc
  .array(fc.tuple(latin1(1), latin1(0)), { maxLength: 30 })
  .map((entries) => entries.flat())

const decode = (
  pieces: readonly Buffer[],
  most = MOST_VARIABLES,
): [PacketDecoder, string, string] => decodeBlock(new PacketDecoder(most), pieces)

describe('a uwsgi packet', () => {
  it('is encoded as the protocol says', () => {
    expect(encodePacket(0, 0, ['A', 'bc', 'D', ''])).toEqual(
      Buffer.from('\0\x0c\0\0\x01\0A\x02\0bc\x01\0D\0\0', 'latin1'),
    )
    expect(encodePacket(5, 7, [])).toEqual(Buffer.of(5, 0, 0, 7))
  })

  it('comes back as it was, whatever pieces it comes in', () => {
    const bytes = Buffer.concat([
      encodePacket(9, 3, ['KEY', 'value', 'E', '']),
      Buffer.from('body'),
    ])
    everySplit(bytes, (pieces) => {
      const [decoder, block, rest] = decode(pieces)
      expect(decoder).toMatchObject({ done: true, modifier1: 9, modifier2: 3, size: 17 })
      expect(decodeVariables(block)).toEqual(['KEY', 'value', 'E', ''])
      expect(rest).toBe('body')
    })
  })

  it('comes back as it was, whatever it holds', () => {
    fc.assert(
      fc.property(pairs, fc.nat(255), fc.nat(255), fc.nat(400), (list, one, two, at) => {
        const bytes = encodePacket(one, two, list)
        const [decoder, block] = decode([bytes.subarray(0, at), bytes.subarray(at)])
        expect(decodeVariables(block)).toEqual(list)
        expect([decoder.modifier1, decoder.modifier2]).toEqual([one, two])
      }),
    )
  })

  it('without variables is complete with its head', () => {
    everySplit(Buffer.of(100, 0, 0, 0), (pieces) => {
      const [decoder, block] = decode(pieces)
      expect([decoder.done, decoder.modifier1, block]).toEqual([true, 100, ''])
    })
  })

  it('that is larger than allowed is read over', () => {
    const bytes = Buffer.concat([encodePacket(0, 0, ['KEY', 'x'.repeat(40)]), Buffer.from('body')])
    everySplit(bytes, (pieces) => {
      const [decoder, block, rest] = decode(pieces, 46)
      expect([decoder.done, decoder.size, block, rest]).toEqual([true, 47, 'skipped', 'body'])
    })
  })

  it('of an unknown kind is refused as soon as its head is there', () => {
    const decoder = new PacketDecoder(100, new Set([5]))
    const feed = (text: string): number => decoder.decode(Buffer.from(text), 0, text.length)
    expect(() => feed('GET ')).toThrow('this is HTTP, not uwsgi')
    decoder.reset()
    expect(() => feed('\x16\x03\x01\x02')).toThrow('modifier1 22')
    decoder.reset()
    expect(feed('\x05\x03\0\0')).toBe(4)
  })

  it('follows another one', () => {
    const decoder = new PacketDecoder(100)
    const bytes = Buffer.concat([encodePacket(0, 0, ['A', '1']), encodePacket(1, 0, ['B', '2'])])
    const at = decoder.decode(bytes, 0, bytes.length)
    expect(decoder.block?.toString('latin1')).toContain('A')
    decoder.reset()
    expect(decoder.untouched).toBe(true)
    expect(decoder.decode(bytes, at, bytes.length)).toBe(bytes.length)
    expect(decodeVariables(decoder.block!.toString('latin1'))).toEqual(['B', '2'])
  })

  it('holds 65,535 bytes and no more', () => {
    const most = 'x'.repeat(MOST_VARIABLES - 5)
    expect(encodePacket(0, 0, ['A', most])).toHaveLength(MOST_VARIABLES + 4)
    expect(() => encodePacket(0, 0, ['A', `${most}x`])).toThrow('65536 bytes')
    expect(() => encodePacket(0, 0, ['', 'x'])).toThrow('empty variable name')
  })

  it.each([
    ['\0\0\x01\0x', 'empty variable name'],
    ['\x01', 'cut short'],
    ['\x01\0', 'cut short'],
    ['\x01\0A', 'cut short'],
    ['\x01\0A\x01', 'cut short'],
    ['\x01\0A\x02\0b', 'cut short'],
    ['\xff\xffA\x01\0b', 'cut short'],
  ])('with variables that do not fit is refused: %j', (text, message) => {
    expect(() => decodeVariables(text)).toThrow(message)
  })

  it('of anything at all is either read or refused', () => {
    fc.assert(
      fc.property(latin1(0), (text) => {
        try {
          const list = decodeVariables(text)
          expect(encodePacket(0, 0, list).toString('latin1', 4)).toBe(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_PACKET' })
        }
      }),
    )
  })
})
