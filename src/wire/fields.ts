/**
 * The grammar of header and trailer fields (RFC 9110 §5, RFC 9112 §5), shared by requests, answers
 * and trailers. Pure and strict: obs-fold, bare CR or LF, NUL, whitespace before the colon and names
 * that are no token are refused.
 */
import { PorticoError } from '../errors.ts'

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Anything but HTAB, SP, VCHAR and obs-text (RFC 9110 §5.5). */
const NOT_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/** Names seen, as written, to lower case. Only valid tokens are in it. */
const lowered = new Map<string, string>()

/** True for a token (RFC 9110 §5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** True when `text` may stand as a field value: no control character but HTAB, nothing above 0xff. */
export function isFieldValue(text: string): boolean {
  return !NOT_VALUE.test(text)
}

/** A field name in lower case. Throws BAD_FIELD for what is no token. */
export function fieldName(name: string): string {
  const known = lowered.get(name)
  if (known !== undefined) return known
  if (!TOKEN.test(name))
    throw new PorticoError('BAD_FIELD', `name ${JSON.stringify(name.slice(0, 64))}`)
  const lower = name.toLowerCase()
  if (name.length <= 40 && lowered.size < 1000) lowered.set(flat(name), flat(lower))
  return lower
}

/** A copy that does not keep a larger string alive. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** Fields in the order they came; names in lower case, values without surrounding whitespace. */
export interface FieldList {
  readonly names: readonly string[]
  readonly values: readonly string[]
}

/**
 * Parses a field block: complete lines, each ending in CRLF, without the empty line. `most` bounds the
 * number of fields. Throws BAD_FIELD or TOO_LARGE_HEAD.
 */
export function parseFields(block: string, most: number): { names: string[]; values: string[] } {
  const names: string[] = []
  const values: string[] = []
  let at = 0
  const length = block.length
  while (at < length) {
    const end = block.indexOf('\r\n', at)
    if (end < 0) throw new PorticoError('BAD_FIELD', 'a line without CRLF')
    const colon = block.indexOf(':', at)
    if (colon < 0 || colon > end) throw new PorticoError('BAD_FIELD', 'a line without a colon')
    if (names.length >= most) throw new PorticoError('TOO_LARGE_HEAD', `more than ${most} fields`)
    const name = fieldName(block.slice(at, colon))
    let from = colon + 1
    let to = end
    while (from < to && isBlank(block.charCodeAt(from))) from++
    while (to > from && isBlank(block.charCodeAt(to - 1))) to--
    const value = block.slice(from, to)
    if (NOT_VALUE.test(value)) throw new PorticoError('BAD_FIELD', `value of ${name}`)
    names.push(name)
    values.push(value)
    at = end + 2
  }
  return { names, values }
}

/** Without blanks and tabs around it. `trim` takes 0xa0 as well, which is the last byte of `à` in UTF-8. */
export function trimBlanks(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}

/** Every value of `name` (lower case), joined as RFC 9110 §5.3 allows; undefined when absent. */
export function fieldValue(list: FieldList, name: string): string | undefined {
  let found: string | undefined
  const { names, values } = list
  for (let i = 0; i < names.length; i++) {
    if (names[i] !== name) continue
    // RFC 9110 §5.3 joins with a comma; cookies are the exception (RFC 9113 §8.2.3).
    found =
      found === undefined ? values[i]! : found + (name === 'cookie' ? '; ' : ', ') + values[i]!
  }
  return found
}

/** The members of a comma-separated list in lower case, without empty ones (RFC 9110 §5.6.1). */
export function listMembers(value: string): string[] {
  const members: string[] = []
  for (const part of value.split(',')) {
    const member = part.trim().toLowerCase()
    if (member !== '') members.push(member)
  }
  return members
}
