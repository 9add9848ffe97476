/**
 * Files of environment variables. What Docker's `--env-file` and systemd's `EnvironmentFile=` understand
 * alike is understood here alike; of what they differ in, values without quotes are Docker's (nothing in
 * them is special), quotes are systemd's:
 *
 *     # a comment, as is a line that begins with ;
 *     NAME=value as it is, with $ and # and \ in it
 *     export NAME=value
 *     NAME="quoted: \" \\ \$ \` and a backslash at the end of a line are escapes"
 *     NAME='literally, over several lines where it must be'
 *
 * Pure.
 */

/** Larger files are no files of variables, bytes. */
export const LARGEST_ENV_FILE = 1_048_576

export interface EnvFile {
  /** In the order of the file; a name that comes twice has its last value. */
  readonly variables: ReadonlyMap<string, string>
  /** Never with a value in it: it may be a password. */
  readonly problems: readonly EnvProblem[]
}

export interface EnvProblem {
  /** From 1. */
  readonly line: number
  readonly message: string
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const BLANK = /[ \t]/

export function parseEnvFile(text: string): EnvFile {
  const variables = new Map<string, string>()
  const problems: EnvProblem[] = []
  const source = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n')
  let line = 1
  let at = 0
  while (at < source.length) {
    const statement = readStatement(source, at)
    if ('problem' in statement) problems.push({ line, message: statement.problem })
    else if (statement.name !== '') variables.set(statement.name, statement.value)
    line += count(source, at, statement.end)
    at = statement.end
  }
  return { variables, problems }
}

type Statement =
  | { readonly name: string; readonly value: string; readonly end: number }
  | { readonly problem: string; readonly end: number }

/** One line, or more where quotes go on. `end` is where the next begins. */
function readStatement(source: string, start: number): Statement {
  const end = endOfLine(source, start)
  const line = source.slice(start, end)
  if (/^[ \t]*([#;]|$)/.test(line)) return { name: '', value: '', end: end + 1 }
  const equals = line.indexOf('=')
  if (equals < 0) return { problem: 'expected NAME=value', end: end + 1 }
  const name = line.slice(0, equals).replace(/^[ \t]*(export[ \t]+)?/, '')
  if (!NAME.test(name)) return { problem: 'not the name of a variable before =', end: end + 1 }
  const first = start + equals + 1
  let at = first
  while (BLANK.test(source[at] ?? '')) at++
  const quote = source[at]
  if (quote === '"' || quote === "'") return quoted(source, at + 1, quote, name)
  const value = source.slice(at, end).replace(/[ \t]+$/, '')
  if (value.includes('\0')) return { problem: `${name} holds NUL`, end: end + 1 }
  return { name, value, end: end + 1 }
}

/** `at` is behind the opening quote. */
function quoted(source: string, at: number, quote: string, name: string): Statement {
  let value = ''
  for (let i = at; i < source.length; i++) {
    const character = source[i]!
    if (character === quote) return closed(source, i + 1, name, value)
    const next = source[i + 1]
    if (character === '\\' && quote === '"' && next !== undefined && '"\\$`\n'.includes(next)) {
      // A backslash at the end of a line takes the line's end with it.
      if (next !== '\n') value += next
      i++
    } else value += character
  }
  return { problem: `the quote of ${name} is not closed`, end: source.length }
}

function closed(source: string, at: number, name: string, value: string): Statement {
  const end = endOfLine(source, at)
  if (source.slice(at, end).trim() !== '') {
    return { problem: `something follows the quoted value of ${name}`, end: end + 1 }
  }
  if (value.includes('\0')) return { problem: `${name} holds NUL`, end: end + 1 }
  return { name, value, end: end + 1 }
}

function endOfLine(source: string, at: number): number {
  const end = source.indexOf('\n', at)
  return end < 0 ? source.length : end
}

function count(source: string, from: number, to: number): number {
  let lines = 0
  for (let at = source.indexOf('\n', from); at >= 0 && at < to; at = source.indexOf('\n', at + 1)) {
    lines++
  }
  return lines
}
