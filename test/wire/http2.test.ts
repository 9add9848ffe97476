import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  encodeGoaway,
  encodeSettings,
  Flag,
  FrameType,
  Http2Code,
  Http2Fault,
  readNumber,
  readSettings,
  Setting,
  writeFrameHead,
  writeNumberFrame,
} from '../../src/wire/http2.ts'
import { FrameReader } from '../../src/wire/http2-reader.ts'
import { everySplit } from './split.ts'

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.set(payload, writeFrameHead(bytes, 0, payload.length, type, flags, stream))
  return bytes
}

/** What a reader says of bytes in pieces that change once they were taken. */
function read(pieces: readonly Buffer[], most?: number): string[] {
  const seen: string[] = []
  const reader = new FrameReader((type, flags, stream, bytes, from, to, length) => {
    seen.push(`${type} ${flags} ${stream} ${length} ${bytes.toString('hex', from, to)}`)
    return true
  }, most)
  for (const piece of pieces) {
    const bytes = Buffer.from(piece)
    expect(reader.read(bytes, 0, bytes.length)).toBe(bytes.length)
    bytes.fill(0xee)
  }
  expect(reader.between).toBe(true)
  return seen
}

function fault(bytes: Buffer): number {
  try {
    read([bytes])
  } catch (error) {
    if (error instanceof Http2Fault) return error.code
    throw error
  }
  return -1
}

const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR } = Http2Code

describe('frames', () => {
  it('come in whatever pieces', () => {
    const bytes = Buffer.concat([
      encodeSettings([[Setting.MAX_CONCURRENT_STREAMS, 100]]),
      frame(FrameType.HEADERS, Flag.END_HEADERS, 1, Buffer.from('abc')),
      frame(FrameType.DATA, Flag.PADDED, 1, Buffer.from([2, 0x61, 0x62, 0, 0])),
      frame(FrameType.DATA, Flag.END_STREAM, 1, Buffer.alloc(0)),
      frame(200, 0xff, 0x7fffffff, Buffer.from('x')),
    ])
    const expected = [
      '4 0 0 6 000300000064',
      '1 4 1 3 616263',
      '0 8 1 5 6162',
      '0 1 1 0 ',
      '200 255 2147483647 1 78',
    ]
    everySplit(bytes, (pieces) => expect(read(pieces)).toEqual(expected))
  })

  it('of anything are read as they were written', () => {
    const frames = fc.array(
      fc.tuple(
        fc.constantFrom(FrameType.CONTINUATION, 77),
        fc.integer({ min: 0, max: 255 }),
        fc.integer({ min: 1, max: 0x7fffffff }),
        fc.uint8Array({ maxLength: 300 }),
      ),
      { maxLength: 10 },
    )
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 50 })), (all, sizes) => {
        const bytes = Buffer.concat(all.map((one) => frame(...one)))
        const pieces: Buffer[] = []
        let at = 0
        for (const size of sizes) {
          pieces.push(bytes.subarray(at, at + size))
          at += size
        }
        pieces.push(bytes.subarray(at))
        expect(read(pieces)).toEqual(
          all.map(
            ([type, flags, stream, payload]) =>
              `${type} ${flags} ${stream} ${payload.length} ${Buffer.from(payload).toString('hex')}`,
          ),
        )
      }),
    )
  })

  it('stop where they are told to, and go on from there', () => {
    const bytes = Buffer.concat([
      frame(FrameType.DATA, 0, 1, Buffer.from('a')),
      frame(FrameType.DATA, 0, 3, Buffer.from('b')),
    ])
    const seen: number[] = []
    const reader = new FrameReader((_, __, stream) => {
      seen.push(stream)
      return false
    })
    const half = reader.read(bytes, 0, 15)
    expect(half).toBe(10)
    expect(reader.read(bytes, half, 15)).toBe(15)
    expect(reader.read(bytes, 15, bytes.length)).toBe(bytes.length)
    expect(seen).toEqual([1, 3])
  })

  it.each<[string, Buffer, number]>([
    ['a frame larger than allowed', frame(0, 0, 1, Buffer.alloc(16_385)), FRAME_SIZE_ERROR],
    ['DATA on stream 0', frame(FrameType.DATA, 0, 0, Buffer.alloc(1)), PROTOCOL_ERROR],
    ['HEADERS on stream 0', frame(FrameType.HEADERS, 0, 0, Buffer.alloc(1)), PROTOCOL_ERROR],
    [
      'CONTINUATION on stream 0',
      frame(FrameType.CONTINUATION, 0, 0, Buffer.alloc(1)),
      PROTOCOL_ERROR,
    ],
    ['PRIORITY on stream 0', frame(FrameType.PRIORITY, 0, 0, Buffer.alloc(5)), PROTOCOL_ERROR],
    ['RST_STREAM on stream 0', frame(FrameType.RST_STREAM, 0, 0, Buffer.alloc(4)), PROTOCOL_ERROR],
    ['RST_STREAM of 5 bytes', frame(FrameType.RST_STREAM, 0, 1, Buffer.alloc(5)), FRAME_SIZE_ERROR],
    ['SETTINGS on a stream', frame(FrameType.SETTINGS, 0, 1, Buffer.alloc(0)), PROTOCOL_ERROR],
    ['SETTINGS of 3 bytes', frame(FrameType.SETTINGS, 0, 0, Buffer.alloc(3)), FRAME_SIZE_ERROR],
    [
      'an ACK with settings',
      frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(6)),
      FRAME_SIZE_ERROR,
    ],
    [
      'PUSH_PROMISE on stream 0',
      frame(FrameType.PUSH_PROMISE, 0, 0, Buffer.alloc(4)),
      PROTOCOL_ERROR,
    ],
    ['PING on a stream', frame(FrameType.PING, 0, 1, Buffer.alloc(8)), PROTOCOL_ERROR],
    ['PING of 6 bytes', frame(FrameType.PING, 0, 0, Buffer.alloc(6)), FRAME_SIZE_ERROR],
    ['GOAWAY on a stream', frame(FrameType.GOAWAY, 0, 1, Buffer.alloc(8)), PROTOCOL_ERROR],
    ['GOAWAY of 4 bytes', frame(FrameType.GOAWAY, 0, 0, Buffer.alloc(4)), FRAME_SIZE_ERROR],
    [
      'WINDOW_UPDATE of 3 bytes',
      frame(FrameType.WINDOW_UPDATE, 0, 1, Buffer.alloc(3)),
      FRAME_SIZE_ERROR,
    ],
    [
      'PRIORITY_UPDATE on a stream',
      frame(FrameType.PRIORITY_UPDATE, 0, 1, Buffer.alloc(4)),
      PROTOCOL_ERROR,
    ],
    [
      'PRIORITY_UPDATE of 2 bytes',
      frame(FrameType.PRIORITY_UPDATE, 0, 0, Buffer.alloc(2)),
      FRAME_SIZE_ERROR,
    ],
    [
      'padding longer than its frame',
      frame(FrameType.DATA, Flag.PADDED, 1, Buffer.from([2, 0])),
      PROTOCOL_ERROR,
    ],
    ['no padding length', frame(FrameType.DATA, Flag.PADDED, 1, Buffer.alloc(0)), FRAME_SIZE_ERROR],
  ])('%s is refused', (_, bytes, code) => {
    expect(fault(bytes)).toBe(code)
  })

  it('padding may be all there is', () => {
    expect(read([frame(FrameType.DATA, Flag.PADDED, 1, Buffer.from([2, 0, 0]))])).toEqual([
      '0 8 1 3 ',
    ])
  })
})

describe('settings', () => {
  const told = (settings: readonly (readonly [number, number])[]): [number, number][] => {
    const seen: [number, number][] = []
    const bytes = encodeSettings(settings)
    readSettings(bytes, 9, bytes.length, (id, value) => seen.push([id, value]))
    return seen
  }

  it('there and back, unknown ones included', () => {
    const settings: [number, number][] = [
      [Setting.INITIAL_WINDOW_SIZE, 2_147_483_647],
      [Setting.MAX_FRAME_SIZE, 16_777_215],
      [0xfff0, 4_294_967_295],
    ]
    expect(told(settings)).toEqual(settings)
  })

  it.each([
    [Setting.ENABLE_PUSH, 2, PROTOCOL_ERROR],
    [Setting.ENABLE_CONNECT_PROTOCOL, 2, PROTOCOL_ERROR],
    [Setting.INITIAL_WINDOW_SIZE, 2_147_483_648, FLOW_CONTROL_ERROR],
    [Setting.MAX_FRAME_SIZE, 16_383, PROTOCOL_ERROR],
    [Setting.MAX_FRAME_SIZE, 16_777_216, PROTOCOL_ERROR],
  ])('%i may not be %i', (id, value, code) => {
    expect(() => told([[id, value]])).toThrow(expect.objectContaining({ code }))
  })
})

it('small frames', () => {
  const bytes = Buffer.alloc(13)
  expect(writeNumberFrame(bytes, 0, FrameType.WINDOW_UPDATE, 5, 0x7fffffff)).toBe(13)
  expect(bytes.toString('hex')).toBe('000004080000000005' + '7fffffff')
  const goaway = encodeGoaway(7, Http2Code.ENHANCE_YOUR_CALM, 'calm')
  expect(goaway.toString('latin1', 17)).toBe('calm')
  expect([readNumber(goaway, 9), readNumber(goaway, 13)]).toEqual([7, 11])
})
