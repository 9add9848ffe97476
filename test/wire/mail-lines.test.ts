import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PorticoError } from '../../src/errors.ts'
import { literalAt, parseImapCommand, tagOf } from '../../src/wire/imap-command.ts'
import { MailLines } from '../../src/wire/mail-lines.ts'
import { everySplit } from './split.ts'

function linesOf(pieces: readonly Buffer[], most = 64): string[] {
  const lines = new MailLines(most)
  const found: string[] = []
  for (const piece of pieces) {
    lines.push(piece)
    for (let line = lines.line(); line !== null; line = lines.line()) found.push(line)
  }
  return found
}

describe('lines', () => {
  it('however they come', () => {
    const text = Buffer.from('a LOGIN joe\r\n\r\nüber\r\nrest', 'latin1')
    everySplit(text, (pieces) => expect(linesOf(pieces)).toEqual(['a LOGIN joe', '', 'über']))
  })

  it.each([
    ['LF alone', 'one\ntwo\r\n'],
    ['CR alone', 'one\rtwo\r\n'],
    ['CR CR LF', 'one\r\r\n'],
    ['too long', 'x'.repeat(70)],
    ['too long, ended', `${'x'.repeat(63)}\r\n`],
  ])('%s is none', (_what, text) => {
    everySplit(Buffer.from(text), (pieces) => expect(() => linesOf(pieces)).toThrow(PorticoError))
  })

  it('a literal between them may hold anything', () => {
    everySplit(Buffer.from('a {4}\r\n\r\n\0\n more\r\n'), (pieces) => {
      const lines = new MailLines(64)
      const found: string[] = []
      for (const piece of pieces) {
        lines.push(piece)
        for (;;) {
          const text = found.length === 1 ? lines.literal(4) : lines.line()
          if (text === null) break
          found.push(text)
        }
      }
      expect(found).toEqual(['a {4}', '\r\n\0\n', ' more'])
      expect(lines.empty).toBe(true)
    })
  })
})

describe('commands of IMAP', () => {
  it.each([
    ['a1 LOGIN joe secret', { tag: 'a1', name: 'LOGIN', arguments: ['joe', 'secret'] }],
    ['. capability', { tag: '.', name: 'CAPABILITY', arguments: [] }],
    ['a LOGIN "a b" ""', { tag: 'a', name: 'LOGIN', arguments: ['a b', ''] }],
    ['a LOGIN "q\\"\\\\" x', { tag: 'a', name: 'LOGIN', arguments: ['q"\\', 'x'] }],
    ['a AUTHENTICATE PLAIN AGo=', { tag: 'a', name: 'AUTHENTICATE', arguments: ['PLAIN', 'AGo='] }],
  ])('%s', (text, command) => expect(parseImapCommand([{ text }])).toEqual(command))

  it('with literals', () => {
    const parts = [
      { text: 'a LOGIN ' },
      { literal: 'a\r\nb' },
      { text: ' ' },
      { literal: '' },
      { text: '' },
    ]
    expect(parseImapCommand(parts)).toEqual({ tag: 'a', name: 'LOGIN', arguments: ['a\r\nb', ''] })
  })

  it.each([
    '',
    'a',
    'a ',
    ' a NOOP',
    'a  NOOP',
    'a NOOP ',
    'a LOGIN "x',
    'a LOGIN "x"y',
    'a LOGIN (x)',
    'a+ NOOP',
    'a NO-OP',
    '* OK',
    'a LOGIN "\\x"',
    'a LOGIN \xe9',
  ])('refuses %j', (text) => expect(() => parseImapCommand([{ text }])).toThrow(PorticoError))

  it('refuses what stands at a literal', () => {
    expect(() => parseImapCommand([{ text: 'a LOGIN x' }, { literal: 'y' }])).toThrow(PorticoError)
    expect(() => parseImapCommand([{ text: 'a LOGIN ' }, { literal: 'x' }, { text: 'y' }])).toThrow(
      PorticoError,
    )
  })

  it.each([
    ['a LOGIN {3}', { text: 'a LOGIN ', size: 3, asks: true }],
    ['a LOGIN {3+}', { text: 'a LOGIN ', size: 3, asks: false }],
    ['a LOGIN {3} ', null],
    ['a LOGIN {x}', null],
    ['a LOGIN {9999999999}', null],
  ])('a literal at the end of %j', (line, found) => expect(literalAt(line)).toEqual(found))

  it('a tag, or nobody’s', () => {
    expect(tagOf([{ text: 'a1 WHAT {' }])).toBe('a1')
    expect(tagOf([{ text: '(x) WHAT' }])).toBe('*')
    expect(tagOf([])).toBe('*')
  })

  it('never fails but in its own words', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.record({ text: fc.string() }), fc.record({ literal: fc.string() }))),
        (parts) => {
          try {
            const { arguments: words } = parseImapCommand(parts)
            expect(Array.isArray(words)).toBe(true)
          } catch (error) {
            if (!(error instanceof PorticoError)) throw error
          }
        },
      ),
      { numRuns: 1_000 },
    )
  })
})
