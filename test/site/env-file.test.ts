import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseEnvFile } from '../../src/site/env-file.ts'

const read = (text: string): Record<string, string> => {
  const { variables, problems } = parseEnvFile(text)
  expect(problems).toEqual([])
  return Object.fromEntries(variables)
}
const wrong = (text: string): string[] =>
  parseEnvFile(text).problems.map(({ line, message }) => `${line}: ${message}`)

describe('a file of variables', () => {
  test('comments, blank lines, export, CRLF, a byte order mark, no line feed at the end', () => {
    const text = '\uFEFF# one\r\n  ; two\r\n\r\nA=1\r\nexport B=two\r\n \tC=\r\nD=last'
    expect(read(text)).toEqual({ A: '1', B: 'two', C: '', D: 'last' })
  })

  test('values without quotes are as they are, as with docker --env-file', () => {
    expect(read('A=a b # no comment\nB=$HOME \\n\nC=x"y\'z\nD= padded \t\nE=a=b')).toEqual({
      A: 'a b # no comment',
      B: '$HOME \\n',
      C: 'x"y\'z',
      D: 'padded',
      E: 'a=b',
    })
  })

  test('quotes are as in systemd’s EnvironmentFile=', () => {
    expect(
      read('A=" a "\nB="x\\"\\\\\\$\\`\\n"\nC=\'\\n "$x"\'\nD="one\ntwo"\nE="a\\\nb"'),
    ).toEqual({
      A: ' a ',
      B: 'x"\\$`\\n',
      C: '\\n "$x"',
      D: 'one\ntwo',
      E: 'ab',
    })
  })

  test('the last of a name counts', () => {
    expect(read('A=1\nA=2')).toEqual({ A: '2' })
  })

  test('what is wrong is told with its line, without the value', () => {
    expect(wrong('A=1\nPASSWORD hunter2\n')).toEqual(['2: expected NAME=value'])
    expect(wrong('1A=hunter2')).toEqual(['1: not the name of a variable before ='])
    expect(wrong('A="one\ntwo"\nB="hunter2" x\nC=1\nD=\'hunter2')).toEqual([
      '3: something follows the quoted value of B',
      '5: the quote of D is not closed',
    ])
    expect(wrong('A=a\0b')).toEqual(['1: A holds NUL'])
  })

  test('whatever is in it: nothing is thrown, no value is told, names are names', () => {
    const pieces = fc.constantFrom(
      'A',
      'b_1',
      '=',
      '"',
      "'",
      '\\',
      '\n',
      '\r\n',
      ' ',
      '#',
      '$x',
      ';',
      '\0',
      'export ',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const { variables } = parseEnvFile(parts.join(''))
        for (const [name, value] of variables) {
          expect(name).toMatch(/^[A-Za-z_]\w*$/)
          expect(value).not.toContain('\0')
        }
      }),
    )
  })

  test('what is written in quotes is read back', () => {
    const value = fc.string({ unit: 'grapheme' }).filter((text) => !/[\0\r]/.test(text))
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), (values) => {
        const quoted = values.map((text) => `"${text.replace(/["\\$`]/g, '\\$&')}"`)
        const text = quoted.map((each, i) => `V${i}=${each}\n`).join('')
        expect(Object.values(read(text))).toEqual(values)
      }),
    )
  })
})
