import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type MemcachedCommand,
  MemcachedDecoder,
  MemcachedError,
} from '../../src/wire/memcached.ts'

function commands(text: string, size = text.length): MemcachedCommand[] {
  const decoder = new MemcachedDecoder(1000)
  const found: MemcachedCommand[] = []
  for (let from = 0; from < text.length; from += size) {
    const piece = Buffer.from(text.slice(from, from + size), 'latin1')
    for (let at = 0; at < piece.length; ) {
      at = decoder.decode(piece, at, piece.length)
      if (decoder.command !== null) found.push(decoder.command)
    }
    piece.fill(0)
  }
  return found
}

test('lines and data blocks, in pieces of any size', () => {
  const text =
    'get a  b\r\nset k 0 0 5\r\na\r\nbc\r\n\r\nversion\nset k 0 0 0\r\n\r\nadd k 0 0 -1\r\nset k 0\r\n'
  const all = [
    { words: ['get', 'a', 'b'], data: null, wrong: '' },
    { words: ['set', 'k', '0', '0', '5'], data: 'a\r\nbc', wrong: '' },
    { words: [], data: null, wrong: '' },
    { words: ['version'], data: null, wrong: '' },
    { words: ['set', 'k', '0', '0', '0'], data: '', wrong: '' },
    { words: ['add', 'k', '0', '0', '-1'], data: null, wrong: 'bad length' },
    { words: ['set', 'k', '0'], data: null, wrong: '' },
  ]
  for (let size = 1; size <= text.length; size++) expect(commands(text, size)).toEqual(all)
})

test('a block that is too large, or ends elsewhere, is read over', () => {
  const large = `set k 0 0 1001\r\n${'x'.repeat(1001)}\r\nget k\r\n`
  for (const size of [1, 7, large.length]) {
    expect(commands(large, size).map(({ wrong }) => wrong)).toEqual(['too large', ''])
  }
  expect(commands('set k 0 0 1\r\nabc').map(({ wrong }) => wrong)).toEqual(['bad end'])
})

test('a line without an end is refused', () => {
  expect(() => commands('x'.repeat(70_000), 1000)).toThrow(MemcachedError)
})

test('whatever comes, the decoder goes on', () => {
  const piece = fc.constantFrom(
    'set ',
    'get ',
    'k ',
    '0 ',
    '2',
    '\r\n',
    '\n',
    ' ',
    'noreply',
    '\x00',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), (all, size) => {
      const text = all.join('')
      expect(commands(text, size)).toEqual(commands(text))
    }),
    { numRuns: 1000 },
  )
})
