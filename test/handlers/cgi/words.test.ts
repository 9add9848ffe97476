import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Words } from '../../../src/handlers/cgi/words.ts'

function said(parts: readonly (string | Buffer)[]): string[] {
  const lines: string[] = []
  const words = new Words((line) => lines.push(line))
  for (const part of parts) words.take(typeof part === 'string' ? Buffer.from(part) : part)
  words.end()
  return lines
}

describe('what a program says', () => {
  it('is said line by line, without empty ones, the last one also without its end', () => {
    expect(said(['one\r\ntw', 'o\n\n', 'three'])).toEqual(['one', 'two', 'three'])
  })

  it('moves no cursor and forges no line', () => {
    expect(said(['\x1b[2Jred\rover\x07\ttab \x9b'])).toEqual([
      '\\x1b[2Jred\\x0dover\\x07\ttab \\x9b',
    ])
  })

  it('is UTF-8 where it is, else bytes', () => {
    expect(said(['grün'])).toEqual(['grün'])
    expect(said([Buffer.from([0x67, 0xfc, 0x6e])])).toEqual(['gün'])
  })

  it('is bounded in both directions', () => {
    const [line = ''] = said(['x'.repeat(100_000)])
    expect(line).toHaveLength(2001)
    const lines = said(['a\n'.repeat(1000)])
    expect(lines).toHaveLength(201)
    expect(lines.at(-1)).toBe('(800 more lines)')
  })

  it('does not depend on how it comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(), (text, at) => {
        const bytes = Buffer.from(text)
        const cut = at % (bytes.length + 1)
        expect(said([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(said([bytes]))
      }),
    )
  })
})
