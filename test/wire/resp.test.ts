import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  encodeCommand,
  encodeReply,
  Failure,
  NO_ARRAY,
  Pairs,
  Push,
  type Reply,
  RespError,
  Status,
} from '../../src/wire/resp.ts'
import { CommandDecoder, splitInline } from '../../src/wire/resp-command.ts'
import { ReplyDecoder } from '../../src/wire/resp-reply.ts'

const limits = { argument: 1000, whole: 4000 }

/** Every command in `text`, which comes in pieces that end at `ends`. */
function commands(text: string, ends: readonly number[] = []): string[][] {
  const decoder = new CommandDecoder(limits)
  const found: string[][] = []
  let from = 0
  for (const to of [...ends, text.length]) {
    const piece = Buffer.from(text.slice(from, to), 'latin1')
    from = to
    for (let at = 0; at < piece.length; ) {
      at = decoder.decode(piece, at, piece.length)
      if (decoder.command !== null) found.push(decoder.command)
    }
    // What was taken in must not change with the buffer that it came in.
    piece.fill(0)
  }
  return found
}

const bytes = fc.uint8Array({ maxLength: 40 }).map((all) => Buffer.from(all).toString('latin1'))

test('commands are the same whole, split at every byte, and behind one another', () => {
  const sent = [['SET', 'key', 'a\r\nb'], ['', ''], ['PING'], ['GET', '\x00\xff']]
  const text = sent.map(encodeCommand).join('')
  for (let end = 0; end <= text.length; end++) expect(commands(text, [end])).toEqual(sent)
  expect(
    commands(
      text,
      [...text].map((_, i) => i),
    ),
  ).toEqual(sent)
})

test('any commands come out as they went in, in any pieces', () => {
  const one = fc.array(bytes, { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(fc.array(one, { maxLength: 5 }), fc.array(fc.nat(300)), (sent, cuts) => {
      const text = sent.map(encodeCommand).join('')
      const ends = cuts.filter((cut) => cut < text.length).sort((a, b) => a - b)
      expect(commands(text, ends)).toEqual(sent)
    }),
  )
})

test('a person may type', () => {
  expect(commands("PING\r\n\r\nset a \"b \\x41\\n\" 'it\\'s'\nGET  a \r\n")).toEqual([
    ['PING'],
    ['set', 'a', 'b A\n', "it's"],
    ['GET', 'a'],
  ])
  for (const text of ['"a', "'", 'a"b"', '"a"b']) expect(splitInline(text)).toBeNull()
})

test.each([
  ['*x\r\n', 'invalid multibulk length'],
  ['*1048577\r\n', 'invalid multibulk length'],
  ['*01\r\n', 'invalid multibulk length'],
  [`*${'1'.repeat(30)}`, 'too big count string'],
  ['*1\r\n:1\r\n', "expected '$', got ':'"],
  ['*1\r\n$-1\r\n', 'invalid bulk length'],
  ['*1\r\n$1001\r\n', 'invalid bulk length'],
  ['*1\r\n$1\r\nabc', 'an argument without its end'],
  [`*9\r\n${'$900\r\n'.concat('x'.repeat(900), '\r\n').repeat(5)}`, 'too large a command'],
  ['x'.repeat(70_000), 'too big inline request'],
  ['"\r\n', 'unbalanced quotes in request'],
])('%j is no command', (text, message) => {
  expect(() => commands(text)).toThrow(`Protocol error: ${message}`)
  expect(() =>
    commands(
      text,
      [...text].slice(0, 99).map((_, i) => i),
    ),
  ).toThrow(RespError)
})

test('whatever comes, the decoder says so or goes on', () => {
  const piece = fc.constantFrom(
    '*',
    '$',
    '1',
    '2',
    '-',
    '\r\n',
    '\r',
    '\n',
    'a',
    '"',
    "'",
    ' ',
    '\\',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      try {
        for (const command of commands(pieces.join(''))) expect(command.length).toBeGreaterThan(0)
      } catch (error) {
        expect(error).toBeInstanceOf(RespError)
      }
    }),
    { numRuns: 2000 },
  )
})

const everything: Reply = [
  'text',
  '',
  7,
  9_223_372_036_854_775_807n,
  null,
  new Status('OK'),
  new Failure('ERR no'),
  [['deep'], []],
]

function replies(text: string, size = text.length): Reply[] {
  const decoder = new ReplyDecoder({ bulk: 1000, values: 100 })
  const found: Reply[] = []
  for (let from = 0; from < text.length; from += size) {
    const piece = Buffer.from(text.slice(from, from + size), 'latin1')
    for (let at = 0; at < piece.length; ) {
      at = decoder.decode(piece, at, piece.length)
      if (decoder.done) found.push(decoder.reply)
    }
  }
  return found
}

test('replies are read as they were written, in RESP2 and RESP3, in pieces of any size', () => {
  for (const protocol of [2, 3] as const) {
    const text = encodeReply(everything, protocol).repeat(2)
    for (let size = 1; size <= text.length; size++) {
      expect(replies(text, size)).toEqual([everything, everything])
    }
  }
  const own = [new Pairs(['a', 1]), new Push(['message', 'c', 'x'])]
  expect(replies(own.map((one) => encodeReply(one, 3)).join(''))).toEqual(own)
  expect(replies(own.map((one) => encodeReply(one, 2)).join(''))).toEqual(
    own.map((one) => one.items),
  )
  expect(replies('*-1\r\n')).toEqual([NO_ARRAY])
  expect(replies('#t\r\n,1.5\r\n=7\r\ntxt:abc\r\n')).toEqual([1, '1.5', 'abc'])
})

test.each(['$1001\r\n', '*101\r\n', ':x\r\n', '$1\r\nabc', '?\r\n', '+a\n', '*1\r\n'.repeat(40)])(
  '%j is no reply',
  (text) => {
    expect(() => replies(text)).toThrow(RespError)
  },
)

test('no line end of a message ends a failure', () => {
  expect(encodeReply(new Failure('ERR a\r\n+OK'), 2)).toBe('-ERR a  +OK\r\n')
})
