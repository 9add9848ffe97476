import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DnsError, decodeReply, encodeQuestion, RecordTypes } from '../../src/wire/dns.ts'

/** A question with `answers` (as they come) behind it. */
function reply(name: string, type: number, answers: readonly Buffer[], flags = 0x8180): Buffer {
  const message = encodeQuestion(7, name, type)
  message.writeUInt16BE(flags, 2)
  message.writeUInt16BE(answers.length, 6)
  return Buffer.concat([message, ...answers])
}

/** One whose name points at the question's. */
function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

const { A = 0, AAAA = 0, TXT = 0, MX = 0, NS = 0, SRV = 0 } = RecordTypes

describe('a question', () => {
  it('is what RFC 1035 says', () => {
    expect(encodeQuestion(0x1234, 'ab.example.', A).toString('hex')).toBe(
      '123401000001000000000000026162076578616d706c650000010001',
    )
    expect(encodeQuestion(0, '.', A).subarray(12).toString('hex')).toBe('0000010001')
  })

  it.each(['a..b', `${'x'.repeat(64)}.de`, 'with space', `${'a.'.repeat(127)}b`])(
    'is refused for %j',
    (name) => {
      expect(() => encodeQuestion(1, name, A)).toThrow(DnsError)
    },
  )
})

describe('an answer', () => {
  it('is read as people write it', () => {
    const texts = (type: number, data: Buffer): string[] =>
      decodeReply(reply('a.example', type, [record(type, data)]), 'a.example', type).answers.map(
        ({ text }) => text,
      )
    expect(texts(A, Buffer.of(192, 0, 2, 1))).toEqual(['192.0.2.1'])
    expect(texts(AAAA, Buffer.from('20010db8000000000000000000000001', 'hex'))).toEqual([
      '2001:db8::1',
    ])
    expect(texts(TXT, Buffer.from('\x05hello\x06 world', 'latin1'))).toEqual(['hello world'])
    expect(texts(MX, Buffer.from('000a026d78c00c', 'hex'))).toEqual(['10 mx.a.example'])
    expect(texts(NS, Buffer.from('c00c', 'hex'))).toEqual(['a.example'])
    expect(texts(SRV, Buffer.of(1, 2, 3))).toEqual([''])
  })

  it('tells its code, whatever the case of the name', () => {
    const { id, code, truncated } = decodeReply(reply('A.Example', A, [], 0x8183), 'a.example.', A)
    expect({ id, code, truncated }).toEqual({ id: 7, code: 3, truncated: false })
    expect(decodeReply(reply('a', A, [], 0x8380), 'a', A).truncated).toBe(true)
  })

  it.each([
    ['cut short', Buffer.alloc(11)],
    ['not an answer', encodeQuestion(7, 'a', A)],
    ['another question', reply('b', A, [])],
    ['another question', reply('a', NS, [])],
    ['a name that points at itself', reply('a', A, [Buffer.from('c013', 'hex')])],
    ['an address of another length', reply('a', A, [record(A, Buffer.alloc(5))])],
    ['a text longer than its record', reply('a', A, [record(TXT, Buffer.of(9, 65))])],
    ['cut short', reply('a', A, [record(A, Buffer.alloc(4)).subarray(0, 14)])],
    ['a label of no known kind', reply('a', A, [Buffer.of(0x80, 0)])],
  ])('is refused: %s', (why, message) => {
    expect(() => decodeReply(message, 'a', A)).toThrow(new DnsError(why))
  })

  it('that is anything at all is read or refused', () => {
    const begin = reply('a', A, [record(A, Buffer.alloc(4))])
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(begin.length),
        fc.nat(begin.length - 1),
        (bytes, keep, flip) => {
          const message = Buffer.concat([begin.subarray(0, keep), bytes])
          if (flip < message.length) message[flip]! ^= 0x81
          try {
            decodeReply(message, 'a', A)
          } catch (error) {
            expect(error).toBeInstanceOf(DnsError)
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
