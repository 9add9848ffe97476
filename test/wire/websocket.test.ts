/** RFC 6455: its examples, the categories of the Autobahn test suite as data, every split, and chance. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  CloseCode,
  closePayload,
  encodeFrame,
  mayBeSent,
  Opcode,
  WebSocketFault,
} from '../../src/wire/websocket.ts'
import { WebSocketDecoder } from '../../src/wire/websocket-decoder.ts'
import { unmask } from '../../src/wire/websocket-mask.ts'

const { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } = Opcode
const MASK = 0x1234_5678

type Event = readonly (string | number)[]

interface Outcome {
  readonly events: Event[]
  /** The code to close with; 0: nothing was wrong. */
  readonly fault: number
}

/** Feeds pieces; what came of it. */
function decode(
  pieces: readonly Buffer[],
  { masked = true, most = 1 << 20, greedy = true } = {},
): Outcome {
  const events: Event[] = []
  const decoder = new WebSocketDecoder(
    {
      message: (text, payload) => {
        events.push([text ? 'text' : 'binary', payload.toString(text ? 'utf8' : 'hex')])
        return greedy
      },
      ping: (payload) => events.push(['ping', payload.toString('latin1')]),
      pong: (payload) => events.push(['pong', payload.toString('latin1')]),
      close: (code, reason) => events.push(['close', code, reason]),
    },
    { masked, most },
  )
  try {
    for (const piece of pieces) {
      // Unmasked where it lies: not the test's own bytes.
      const bytes = Buffer.from(piece)
      let at = 0
      while (at < bytes.length) {
        const next = decoder.decode(bytes, at, bytes.length)
        if (greedy) expect(next).toBe(bytes.length)
        expect(next).toBeGreaterThan(at)
        at = next
      }
    }
    return { events, fault: 0 }
  } catch (error) {
    if (!(error instanceof WebSocketFault)) throw error
    return { events, fault: error.code }
  }
}

function everySplit(bytes: Buffer): Buffer[][] {
  const ways = [[bytes], Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))]
  for (let i = 1; i < bytes.length; i++) ways.push([bytes.subarray(0, i), bytes.subarray(i)])
  return ways
}

/** A visitor's frame. */
const f = (opcode: number, payload: string | Buffer = '', fin = true): Buffer =>
  encodeFrame(opcode, Buffer.from(payload), { fin, mask: MASK })
const part = (opcode: number, payload: string | Buffer = ''): Buffer => f(opcode, payload, false)
/** The same with its first byte changed. */
function first(frame: Buffer, xor: number): Buffer {
  frame[0]! ^= xor
  return frame
}
const hex = (bytes: string): Buffer => Buffer.from(bytes.replaceAll(' ', ''), 'hex')
const close = (code: number, reason = ''): Buffer => f(CLOSE, closePayload(code, reason))

test.each([
  ['a text', '81 05 48 65 6c 6c 6f', false, ['text', 'Hello']],
  ['a masked text', '81 85 37 fa 21 3d 7f 9f 4d 51 58', true, ['text', 'Hello']],
  ['a fragmented text', '01 03 48 65 6c 80 02 6c 6f', false, ['text', 'Hello']],
  ['a ping', '89 05 48 65 6c 6c 6f', false, ['ping', 'Hello']],
  ['a masked pong', '8a 85 37 fa 21 3d 7f 9f 4d 51 58', true, ['pong', 'Hello']],
  ['256 bytes', `82 7e 01 00 ${'2a'.repeat(256)}`, false, ['binary', '2a'.repeat(256)]],
  [
    '64 KiB',
    `82 7f 00 00 00 00 00 01 00 00 ${'2a'.repeat(65536)}`,
    false,
    ['binary', '2a'.repeat(65536)],
  ],
] as const)('RFC 6455 §5.7: %s', (_, bytes, masked, event) => {
  expect(decode([hex(bytes)], { masked })).toEqual({ events: [event], fault: 0 })
})

test('what is encoded is as the RFC has it', () => {
  expect(encodeFrame(TEXT, Buffer.from('Hello')).toString('hex')).toBe('810548656c6c6f')
  const masked = encodeFrame(TEXT, Buffer.from('Hello'), { mask: 0x3d21_fa37 })
  expect(masked.toString('hex')).toBe('818537fa213d7f9f4d5158')
  expect(encodeFrame(BINARY, Buffer.alloc(126)).subarray(0, 4).toString('hex')).toBe('827e007e')
  expect(encodeFrame(BINARY, Buffer.alloc(65_535)).subarray(0, 4).toString('hex')).toBe('827effff')
  expect(encodeFrame(BINARY, Buffer.alloc(65_536)).subarray(0, 10).toString('hex')).toBe(
    '827f0000000000010000',
  )
})

const BAD = CloseCode.PROTOCOL_ERROR
const NOT_UTF8 = CloseCode.NOT_UTF8
const BIG = CloseCode.TOO_LARGE
const κ = 'κόσμε'

/** Names begin with the category of the Autobahn test suite. */
const cases: readonly (readonly [string, readonly Buffer[], readonly Event[], number])[] = [
  ...[0, 125, 126, 127, 128, 65_535, 65_536].flatMap((size) => [
    [`1.1 text of ${size}`, [f(TEXT, '*'.repeat(size))], [['text', '*'.repeat(size)]], 0] as const,
    [
      `1.2 binary of ${size}`,
      [f(BINARY, Buffer.alloc(size, 0xfe))],
      [['binary', 'fe'.repeat(size)]],
      0,
    ] as const,
  ]),
  ['2.1 empty ping', [f(PING)], [['ping', '']], 0],
  [
    '2.3 binary ping',
    [f(PING, hex('00fffefdfcfb00ff'))],
    [['ping', '\0\xff\xfe\xfd\xfc\xfb\0\xff']],
    0,
  ],
  ['2.4 ping of 125', [f(PING, 'x'.repeat(125))], [['ping', 'x'.repeat(125)]], 0],
  ['2.5 ping of 126', [f(PING, 'x'.repeat(126))], [], BAD],
  ['2.7 pong unasked', [f(PONG)], [['pong', '']], 0],
  [
    '2.9 pong, then ping',
    [f(PONG, 'a'), f(PING, 'b')],
    [
      ['pong', 'a'],
      ['ping', 'b'],
    ],
    0,
  ],
  [
    '2.10 ten pings',
    Array.from({ length: 10 }, (_, i) => f(PING, `${i}`)),
    Array.from({ length: 10 }, (_, i): Event => ['ping', `${i}`]),
    0,
  ],
  ...[0x40, 0x20, 0x10, 0x50, 0x70].map(
    (bits, i) =>
      [
        `3.${i + 1} reserved bits`,
        [f(TEXT, 'ok'), first(f(TEXT, 'x'), bits), f(PING)],
        [['text', 'ok']],
        BAD,
      ] as const,
  ),
  ['3.6 reserved bits in a ping', [first(f(PING), 0x20)], [], BAD],
  ['3.7 reserved bits in a close', [first(close(1000), 0x40)], [], BAD],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map(
    (opcode) =>
      [`4 opcode ${opcode}`, [f(TEXT, 'ok'), f(opcode, 'x')], [['text', 'ok']], BAD] as const,
  ),
  ['5.1 ping in fragments', [part(PING, 'a'), f(CONTINUATION, 'b')], [], BAD],
  ['5.2 pong in fragments', [part(PONG, 'a')], [], BAD],
  ['5.2b close in fragments', [part(CLOSE, '')], [], BAD],
  [
    '5.3 text in fragments',
    [part(TEXT, 'fragment1'), f(CONTINUATION, 'fragment2')],
    [['text', 'fragment1fragment2']],
    0,
  ],
  [
    '5.6 a ping between fragments',
    [part(TEXT, 'a'), f(PING, 'p'), f(CONTINUATION, 'b')],
    [
      ['ping', 'p'],
      ['text', 'ab'],
    ],
    0,
  ],
  ['5.9 continuation of nothing', [f(CONTINUATION, 'x'), f(TEXT, 'y')], [], BAD],
  [
    '5.10 continuation after a whole message',
    [f(TEXT, 'x'), f(CONTINUATION, 'y')],
    [['text', 'x']],
    BAD,
  ],
  ['5.12 open continuation of nothing', [part(CONTINUATION, 'x')], [], BAD],
  ['5.18 a text within a text', [part(TEXT, 'a'), f(TEXT, 'b')], [], BAD],
  ['5.18b a binary within a text', [part(TEXT, 'a'), f(BINARY, 'b')], [], BAD],
  [
    '5.19 five fragments and pings',
    [
      part(TEXT, '1'),
      part(CONTINUATION, '2'),
      f(PING, 'p'),
      part(CONTINUATION, '3'),
      part(CONTINUATION, '4'),
      f(PING, 'q'),
      f(CONTINUATION, '5'),
    ],
    [
      ['ping', 'p'],
      ['ping', 'q'],
      ['text', '12345'],
    ],
    0,
  ],
  ['5.20 empty fragments', [part(TEXT), part(CONTINUATION), f(CONTINUATION)], [['text', '']], 0],
  ['5.21 an empty beginning', [part(BINARY), f(CONTINUATION, 'ab')], [['binary', '6162']], 0],
  ['6.2 UTF-8', [f(TEXT, 'Hello-µ@ßöäüàá-UTF-8!!')], [['text', 'Hello-µ@ßöäüàá-UTF-8!!']], 0],
  [
    '6.2.2 UTF-8 cut between characters',
    [part(TEXT, 'Hello-µ@ß'), f(CONTINUATION, 'öäüàá')],
    [['text', 'Hello-µ@ßöäüàá']],
    0,
  ],
  [
    '6.2.3 UTF-8 byte by byte',
    [...Buffer.from(κ)].map((byte, i, all) =>
      f(i === 0 ? TEXT : CONTINUATION, Buffer.of(byte), i === all.length - 1),
    ),
    [['text', κ]],
    0,
  ],
  ['6.3.1 a surrogate', [f(TEXT, hex('cebae1bdb9cf83cebcceb5eda080656469746564'))], [], NOT_UTF8],
  [
    '6.3.2 a surrogate byte by byte',
    [
      part(TEXT, κ),
      part(CONTINUATION, hex('ed')),
      part(CONTINUATION, hex('a0')),
      part(CONTINUATION, hex('80')),
      f(CONTINUATION, 'e'),
    ],
    [],
    NOT_UTF8,
  ],
  [
    '6.4.1 bad UTF-8 in the second fragment, at once',
    [part(TEXT, κ), part(CONTINUATION, hex('f4908080')), f(PING)],
    [],
    NOT_UTF8,
  ],
  ...(
    [
      'fe',
      'ff',
      'c0af',
      'e080af',
      'f08080af',
      'c1bf',
      'eda080',
      'edbfbf',
      'f4908080',
      '80',
      'bf',
      '8080',
      'c3',
      'e0a0',
      'f09080',
      'ce',
      'f888808080',
      'fc8480808080',
    ] as const
  ).map((bytes) => [`6.5–6.23 ${bytes}`, [f(TEXT, hex(bytes))], [], NOT_UTF8] as const),
  ...(
    [
      'c280',
      'dfbf',
      'e0a080',
      'ed9fbf',
      'ee8080',
      'efbfbd',
      'efbfbf',
      'f0908080',
      'f48fbfbf',
      '00',
      '7f',
      'efbbbf',
    ] as const
  ).map(
    (bytes) =>
      [
        `6.5–6.23 valid ${bytes}`,
        [part(BINARY, hex(bytes)), f(CONTINUATION)],
        [['binary', bytes]],
        0,
      ] as const,
  ),
  ['6.x bytes need not be UTF-8', [f(BINARY, hex('ff'))], [['binary', 'ff']], 0],
  [
    '6.x an unfinished character at the end',
    [part(TEXT, hex('e282')), f(CONTINUATION)],
    [],
    NOT_UTF8,
  ],
  [
    '7.1.1 close after a message',
    [f(TEXT, 'a'), close(1000)],
    [
      ['text', 'a'],
      ['close', 1000, ''],
    ],
    0,
  ],
  [
    '7.1.3 nothing counts after a close',
    [close(1000), f(PING, 'x'), hex('ffff')],
    [['close', 1000, '']],
    0,
  ],
  [
    '7.1.5 a close amid fragments',
    [part(TEXT, 'a'), close(1000), f(CONTINUATION, 'b')],
    [['close', 1000, '']],
    0,
  ],
  ['7.3.1 a close without a payload', [f(CLOSE)], [['close', CloseCode.NONE, '']], 0],
  ['7.3.2 half a code', [f(CLOSE, 'a')], [], BAD],
  ['7.3.3 a code', [close(1000)], [['close', 1000, '']], 0],
  ['7.3.4 a reason', [close(1000, 'Hello World!')], [['close', 1000, 'Hello World!']], 0],
  [
    '7.3.5 the longest reason',
    [close(1000, '*'.repeat(123))],
    [['close', 1000, '*'.repeat(123)]],
    0,
  ],
  [
    '7.3.6 a longer reason',
    [f(CLOSE, Buffer.concat([hex('03e8'), Buffer.alloc(124, '*')]))],
    [],
    BAD,
  ],
  ['7.5.1 a reason that is no UTF-8', [f(CLOSE, hex('03e8eda080'))], [], NOT_UTF8],
  ...[
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
  ].map((code) => [`7.7 code ${code}`, [close(code)], [['close', code, '']], 0] as const),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code) => [`7.9 code ${code}`, [f(CLOSE, Buffer.of(code >> 8, code & 255))], [], BAD] as const,
  ),
  ['9 a message that is too large', [f(BINARY, Buffer.alloc((1 << 20) + 1))], [], BIG],
  [
    '9 fragments that are too large together',
    [
      part(BINARY, Buffer.alloc(1 << 19)),
      f(PING, 'p'),
      part(CONTINUATION, Buffer.alloc(1 << 19)),
      f(CONTINUATION, 'x'),
    ],
    [['ping', 'p']],
    BIG,
  ],
  [
    '9 the largest',
    [part(TEXT, 'x'.repeat(1 << 19)), f(CONTINUATION, 'x'.repeat(1 << 19))],
    [['text', 'x'.repeat(1 << 20)]],
    0,
  ],
  ['no mask', [encodeFrame(TEXT, Buffer.from('x'))], [], BAD],
  ['no mask in a ping', [encodeFrame(PING, Buffer.from(''))], [], BAD],
  ['125 as 16 bits', [hex(`82fe007d 00000000 ${'00'.repeat(125)}`)], [], BAD],
  ['65535 as 64 bits', [hex('82ff000000000000ffff 00000000')], [], BAD],
  ['a negative length', [hex('82ff8000000000000000 00000000')], [], BAD],
  ['a length beyond all numbers', [hex('82ff7fffffffffffffff 00000000')], [], BIG],
]

test.each(cases)('%s', (_, frames, events, fault) => {
  const bytes = Buffer.concat(frames)
  const expected = { events, fault }
  expect(decode([bytes])).toEqual(expected)
  expect(decode(frames)).toEqual(expected)
  expect(decode([bytes], { greedy: false })).toEqual(expected)
  if (bytes.length > 400) return
  for (const way of everySplit(bytes)) expect(decode(way)).toEqual(expected)
})

test('a server that masks is refused', () => {
  expect(decode([f(TEXT, 'x')], { masked: false })).toEqual({ events: [], fault: BAD })
})

test('what is wrong with a head is said before its payload has come', () => {
  expect(decode([first(f(TEXT, 'x'), 0x40).subarray(0, 1)]).fault).toBe(BAD)
  expect(decode([encodeFrame(TEXT, Buffer.from('x')).subarray(0, 2)]).fault).toBe(BAD)
  expect(decode([f(BINARY, Buffer.alloc(2_000_000)).subarray(0, 14)]).fault).toBe(BIG)
})

test('text that is no UTF-8 is refused before the message is complete', () => {
  const frame = f(TEXT, Buffer.concat([Buffer.from(κ), hex('ff'), Buffer.alloc(1000)]))
  expect(decode([frame.subarray(0, 30)]).fault).toBe(NOT_UTF8)
})

test('a promise of much is no memory', () => {
  const decoder = new WebSocketDecoder(
    { message: () => true, ping: () => {}, pong: () => {}, close: () => {} },
    { masked: true, most: 1 << 24 },
  )
  const frame = f(BINARY, Buffer.alloc(1 << 24))
  decoder.decode(Buffer.from(frame.subarray(0, 5000)), 0, 5000)
  expect(decoder.held).toBeLessThan(10_000)
  decoder.decode(Buffer.from(frame.subarray(5000)), 0, frame.length - 5000)
  expect(decoder.held).toBe(0)
})

test('a sink that wants no more is not given more', () => {
  const messages: string[] = []
  const decoder = new WebSocketDecoder(
    {
      message: (_, payload) => messages.push(String(payload)) % 2 === 0,
      ping: () => {},
      pong: () => {},
      close: () => {},
    },
    { masked: true, most: 100 },
  )
  const bytes = Buffer.concat([f(TEXT, 'a'), f(TEXT, 'b'), f(TEXT, 'c')])
  const next = decoder.decode(bytes, 0, bytes.length)
  expect([next, messages]).toEqual([7, ['a']])
  expect(decoder.decode(bytes, next, bytes.length)).toBe(bytes.length)
  expect(messages).toEqual(['a', 'b', 'c'])
})

test('unmasking by words is unmasking by bytes', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 600 }),
      fc.integer(),
      fc.nat(9),
      fc.nat(600),
      (data, key, shift, cut) => {
        const all = Buffer.alloc(data.length + shift)
        all.set(data, shift)
        const middle = Math.min(shift + cut, all.length)
        const rotated = unmask(all, shift, middle, key)
        unmask(all, middle, all.length, rotated)
        const expected = data.map((byte, i) => byte ^ ((key >>> (8 * (i & 3))) & 255))
        expect(all.subarray(shift)).toEqual(Buffer.from(expected))
      },
    ),
  )
})

const message = fc.record({
  text: fc.boolean(),
  value: fc.string({ unit: 'grapheme', maxLength: 300 }),
  cuts: fc.array(fc.nat(400), { maxLength: 4 }),
  ping: fc.boolean(),
  mask: fc.integer(),
})

test('whatever is sent arrives, in whatever pieces', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      fc.boolean(),
      (messages, sizes, greedy) => {
        const frames: Buffer[] = []
        const expected: Event[] = []
        for (const { text, value, cuts, ping, mask } of messages) {
          const payload = Buffer.from(value)
          const at = [
            0,
            ...cuts.map((cut) => cut % (payload.length + 1)).sort((a, b) => a - b),
            payload.length,
          ]
          for (let i = 1; i < at.length; i++) {
            if (ping && i > 1) {
              frames.push(encodeFrame(PING, Buffer.from('p'), { mask }))
              expected.push(['ping', 'p'])
            }
            const opcode = i > 1 ? CONTINUATION : text ? TEXT : BINARY
            frames.push(
              encodeFrame(opcode, payload.subarray(at[i - 1], at[i]), {
                fin: i === at.length - 1,
                mask,
              }),
            )
          }
          expected.push(text ? ['text', payload.toString()] : ['binary', payload.toString('hex')])
        }
        const bytes = Buffer.concat(frames)
        const pieces: Buffer[] = []
        for (let from = 0, i = 0; from < bytes.length; i++) {
          const size = sizes[i % sizes.length]!
          pieces.push(bytes.subarray(from, from + size))
          from += size
        }
        expect(decode(pieces, { greedy })).toEqual({ events: expected, fault: 0 })
      },
    ),
  )
})

test('arbitrary bytes are refused or understood, the same at every split', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (bytes, cut) => {
      const all = Buffer.from(bytes)
      const whole = decode([all], { most: 1000 })
      const split = decode([all.subarray(0, cut), all.subarray(cut)], { most: 1000 })
      expect(split).toEqual(whole)
    }),
    { numRuns: 2000 },
  )
})

test('a reason is cut at a character', () => {
  const payload = closePayload(1000, `${'x'.repeat(122)}ß`)
  expect(payload).toHaveLength(124)
  expect(closePayload(CloseCode.NONE, 'nothing')).toHaveLength(0)
  expect(mayBeSent(CloseCode.LOST)).toBe(false)
})
