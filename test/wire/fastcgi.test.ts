import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  END_REQUEST_SIZE,
  encodeBeginRequest,
  encodeStream,
  encodeUnknownType,
  KEEP_CONN,
  MOST_CONTENT,
  ProtocolStatus,
  RecordType,
  Role,
  recordHead,
  writeEndRequest,
} from '../../src/wire/fastcgi.ts'
import { decodePairs, encodePairs } from '../../src/wire/fastcgi-params.ts'
import { RecordReader } from '../../src/wire/fastcgi-reader.ts'
import { everySplit } from './split.ts'

/** What a reader says of bytes in pieces, adjacent pieces of a stream joined. */
function read(pieces: readonly Buffer[], stopping = false): string[] {
  const seen: string[] = []
  let stream = ''
  const flush = (): void => {
    if (stream !== '') seen.push(stream)
    stream = ''
  }
  const reader = new RecordReader({
    record: (type, id, content) => {
      flush()
      seen.push(`record ${type} ${id} ${content.toString('hex')}`)
      return !stopping
    },
    data: (type, id, bytes) => {
      const head = `data ${type} ${id} `
      if (!stream.startsWith(head)) flush()
      stream = (stream || head) + bytes.toString('latin1')
      return !stopping
    },
    end: (type, id) => {
      flush()
      seen.push(`end ${type} ${id}`)
      return !stopping
    },
  })
  for (const piece of pieces) {
    const bytes = Buffer.from(piece)
    let at = 0
    while (at < bytes.length) {
      const next = reader.read(bytes, at, bytes.length)
      expect(next).toBeGreaterThan(at)
      bytes.fill(0xee, at, next)
      at = next
    }
  }
  flush()
  expect(reader.between).toBe(true)
  return seen
}

const REQUEST = Buffer.concat([
  encodeBeginRequest(258, Role.RESPONDER, KEEP_CONN),
  encodeStream(RecordType.PARAMS, 258, encodePairs(['A', 'b'])),
  recordHead(RecordType.PARAMS, 258, 0, 0),
  encodeStream(RecordType.STDIN, 258, Buffer.from('hello')),
  encodeUnknownType(77),
  recordHead(RecordType.STDIN, 258, 0, 0),
  recordHead(RecordType.ABORT_REQUEST, 258, 0, 0),
])
const RECORDS = [
  'record 1 258 0001010000000000',
  'data 4 258 \x01\x01Ab',
  'end 4 258',
  'data 5 258 hello',
  'record 11 0 4d00000000000000',
  'end 5 258',
  'record 2 258 ',
]

describe('FastCGI records', () => {
  it('are encoded as the specification says', () => {
    expect(encodeBeginRequest(1, Role.RESPONDER, 0).toString('hex')).toBe(
      '01010001000800000001000000000000',
    )
    const end = Buffer.alloc(END_REQUEST_SIZE)
    expect(writeEndRequest(end, 0, 1, 256, ProtocolStatus.CANT_MPX_CONN)).toBe(16)
    expect(end.toString('hex')).toBe('01030001000800000000010001000000')
    expect(encodeStream(RecordType.STDOUT, 1, Buffer.from('abc')).toString('hex')).toBe(
      '01060001000305006162630000000000',
    )
    expect(encodeStream(RecordType.STDOUT, 1, Buffer.alloc(0))).toHaveLength(0)
  })

  it('are read in whatever pieces they come', () => {
    everySplit(REQUEST, (pieces) => expect(read(pieces)).toEqual(RECORDS))
  })

  it('are read by a reader who stops after each', () => {
    everySplit(REQUEST, (pieces) => expect(read(pieces, true)).toEqual(RECORDS))
  })

  it('carry streams longer than a record', () => {
    const long = Buffer.alloc(MOST_CONTENT * 2 + 5, 'x')
    const bytes = encodeStream(RecordType.STDOUT, 1, long)
    expect(bytes).toHaveLength(long.length + 3 * 8 + 3)
    expect(read([bytes])).toEqual([`data 6 1 ${long.toString('latin1')}`])
  })

  it('never gather a stream', () => {
    const record = encodeStream(RecordType.STDIN, 1, Buffer.alloc(60_000))
    let largest = 0
    const reader = new RecordReader({
      record: () => true,
      data: (_, __, bytes) => {
        largest = Math.max(largest, bytes.length)
        return true
      },
      end: () => true,
    })
    for (let at = 0; at < record.length; at += 100) {
      reader.read(record, at, Math.min(record.length, at + 100))
    }
    expect(largest).toBeLessThanOrEqual(100)
  })

  it('of another version are none', () => {
    everySplit(Buffer.from('GET / HTTP/1.1\r\n'), (pieces) => {
      expect(() => read(pieces)).toThrow('this is HTTP, not FastCGI')
    })
    expect(() => read([Buffer.alloc(8, 2)])).toThrow('FastCGI version 2')
  })

  it('of anything at all are either read or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
        const reader = new RecordReader({
          record: () => true,
          data: () => false,
          end: () => true,
        })
        try {
          for (const piece of pieces) {
            const bytes = Buffer.from([1, ...piece])
            let at = 0
            while (at < bytes.length) {
              const next = reader.read(bytes, at, bytes.length)
              expect(next).toBeGreaterThan(at)
              at = next
            }
          }
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_PACKET' })
        }
      }),
    )
  })
})

describe('FastCGI names and values', () => {
  const text = fc
    .oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 120, maxLength: 400 }))
    .map((bytes) => Buffer.from(bytes).toString('latin1'))

  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text)), (entries) => {
        const pairs = entries.flat()
        expect(decodePairs(encodePairs(pairs).toString('latin1'))).toEqual(pairs)
      }),
    )
  })

  it('have lengths of one byte or four', () => {
    const long = 'v'.repeat(70_000)
    expect(encodePairs(['a', 'v'.repeat(127)]).subarray(0, 3)).toEqual(Buffer.of(1, 127, 0x61))
    expect(encodePairs(['a', 'v'.repeat(128)]).subarray(0, 6)).toEqual(
      Buffer.of(1, 0x80, 0, 0, 128, 0x61),
    )
    expect(decodePairs(encodePairs([long, long]).toString('latin1'))).toEqual([long, long])
  })

  it.each([
    '\x01',
    '\x01\x01',
    '\x01\x01a',
    '\x80',
    '\x80\0\0',
    '\x80\0\0\x01',
    '\xff\xff\xff\xff\xff',
  ])('that are cut short are refused: %j', (bytes) => {
    expect(() => decodePairs(bytes)).toThrow('cut short')
  })
})
