/**
 * uWSGI's INI grammar (core/ini.c). It is not Python's: a section may come again, a key may come again
 * and means one more, there is no quoting, no continued line, and no comment behind a value.
 */

export interface IniLine {
  readonly key: string
  readonly value: string
  /** Where the key begins in the text. */
  readonly at: number
}

export interface Ini {
  /** The keys of the section that was asked for. */
  readonly lines: readonly IniLine[]
  /** Every section, once. */
  readonly sections: readonly string[]
}

const BLANKS = /^[ \t\r]+|[ \t\r]+$/g

export function parseIni(text: string, section: string): Ini {
  const lines: IniLine[] = []
  const sections = new Set<string>()
  let current = ''
  let start = 0
  while (start < text.length) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const line = text.slice(start, end)
    const trimmed = trim(line)
    if (trimmed.startsWith('[')) {
      // As uWSGI does it: whatever the last character is.
      current = trimmed.slice(1, -1)
      sections.add(current)
    } else if (trimmed !== '' && !/^[;#]/.test(trimmed) && current === section) {
      const equals = trimmed.indexOf('=')
      const key = equals < 0 ? trimmed : trim(trimmed.slice(0, equals))
      const value = equals < 0 ? '' : trim(trimmed.slice(equals + 1))
      lines.push({ key, value, at: start + line.indexOf(trimmed) })
    }
    start = end + 1
  }
  return { lines, sections: [...sections] }
}

/** Only these: other white space is content. */
function trim(text: string): string {
  return text.replace(BLANKS, '')
}
