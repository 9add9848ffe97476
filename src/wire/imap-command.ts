/** A command of IMAP as clients send it before they have logged in (RFC 9051 §9): tag, name, arguments. Pure. */
import { PorticoError } from '../errors.ts'

export interface ImapCommand {
  readonly tag: string
  /** In upper case. */
  readonly name: string
  readonly arguments: readonly string[]
}

/** A part of a command: text as it came, or the bytes of a literal. */
export type ImapPart = { readonly text: string } | { readonly literal: string }

/** `{12}` at the end of a line: so many bytes follow. `{12+}` does not ask first (RFC 7888). */
const LITERAL = /^(.*)\{(\d{1,9})(\+?)\}$/s
/** RFC 9051 §9: astring-char without what only commands after the login need. */
const ATOM = /^[^\x00-\x20\x7f-\xff(){%*"\\]+/
const TAG = /^[A-Za-z0-9._~!#$&',/:;<=>?@^`|[\]-]{1,64}$/
/** A quoted string; what may be escaped in it is itself. */
const QUOTED = /^"((?:[^"\\\x00\r\n\x80-\xff]|\\["\\])*)"/

/** What a line says about a literal at its end; null: it has none. */
export function literalAt(line: string): { text: string; size: number; asks: boolean } | null {
  const [, text, digits, plus] = LITERAL.exec(line) ?? []
  if (text === undefined || digits === undefined) return null
  return { text, size: Number(digits), asks: plus === '' }
}

/** The tag that a command begins with; `*` where it begins with none: nobody's. */
export function tagOf(parts: readonly ImapPart[]): string {
  const [first] = parts
  const tag = first !== undefined && 'text' in first ? first.text.split(' ', 1)[0]! : ''
  return TAG.test(tag) ? tag : '*'
}

/** Throws BAD_MAIL_LINE for what is no command. */
export function parseImapCommand(parts: readonly ImapPart[]): ImapCommand {
  const words: string[] = []
  /** A word has ended: a space has to follow. */
  let ended = false
  for (const part of parts) {
    if ('literal' in part) {
      if (ended) throw bad('no space before a literal')
      words.push(part.literal)
      ended = true
      continue
    }
    let rest = part.text
    while (rest !== '') {
      if (ended) {
        if (rest[0] !== ' ') throw bad('no space between arguments')
        rest = rest.slice(1)
        ended = false
        continue
      }
      const quoted = QUOTED.exec(rest)
      const found = quoted?.[0] ?? ATOM.exec(rest)?.[0]
      if (found === undefined) throw bad('an argument')
      words.push(quoted === null ? found : quoted[1]!.replace(/\\(["\\])/g, '$1'))
      rest = rest.slice(found.length)
      ended = true
    }
  }
  const [tag = '', name = '', ...others] = words
  if (!TAG.test(tag)) throw bad('tag')
  if (!ended || !/^[A-Za-z]+$/.test(name)) throw bad('command')
  return { tag, name: name.toUpperCase(), arguments: others }
}

function bad(what: string): PorticoError {
  return new PorticoError('BAD_MAIL_LINE', what)
}
