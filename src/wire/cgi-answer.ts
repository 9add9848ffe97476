/**
 * The head of a CGI answer (RFC 3875 §6), as CGI programs, FastCGI and SCGI servers give it. Pure.
 * Lines may end in LF or CRLF (§6.2: NL); everything else is as strict as for HTTP.
 */
import { PorticoError } from '../errors.ts'
import { agreedLength } from './answer-head.ts'
import { type FieldList, listMembers, parseFields } from './fields.ts'

/** A CGI answer's head, parsed and judged once. Immutable. */
export interface CgiAnswerFacts extends FieldList {
  /** 200 to 599: as given, else 302 with Location, else 200 (§6.2). */
  readonly status: number
  /** '' when none was given. */
  readonly reason: string
  /** The field block, `Name: value\r\n` lines, valid. Holds Status, which is no field of HTTP. */
  readonly raw: string
  /** Bytes of the body as announced; -1: not given. */
  readonly contentLength: number
  /** The Connection options, lower case. */
  readonly connection: readonly string[]
  /** It has one of the fields that a CGI answer must have (§6.2): else it may be no head at all. */
  readonly named: boolean
  /** The value of Location, '' for none. */
  readonly location: string
  /** Location is a path and no status was given: the server is to answer with what is there (§6.2.2). */
  readonly local: boolean
}

/** §6.3.3. The reason is optional in the wild. */
const STATUS = /^([2-5][0-9]{2})(?:[\t ]([\t\x20-\x7e\x80-\xff]*))?$/
/** Programs written for NPH or for other servers begin so; it says the same. */
const STATUS_LINE = /^HTTP\/[0-9]\.[0-9] /
const LINE_END = /\r?\n/g

/** Where a head ends: the index behind its empty line, or -1. Looks at nothing before `from`. */
export function cgiHeadEnd(text: string, from: number): number {
  for (let at = text.indexOf('\n', from); at >= 0; at = text.indexOf('\n', at + 1)) {
    const next = text.charCodeAt(at + 1)
    if (next === 0x0a) return at + 2
    if (next === 0x0d && text.charCodeAt(at + 2) === 0x0a) return at + 3
  }
  return -1
}

/**
 * Parses a head: `text` is latin-1 and ends with its empty line. `most` bounds the number of fields.
 * Throws BACKEND_LIED.
 */
export function parseCgiAnswer(text: string, most: number): CgiAnswerFacts {
  try {
    return parse(text.replace(LINE_END, '\r\n').slice(0, -2), most)
  } catch (cause) {
    if (!(cause instanceof PorticoError) || cause.code === 'BACKEND_LIED') throw cause
    throw new PorticoError('BACKEND_LIED', cause.message, { cause })
  }
}

function parse(head: string, most: number): CgiAnswerFacts {
  const hasLine = STATUS_LINE.test(head)
  const raw = hasLine ? head.slice(head.indexOf('\r\n') + 2) : head
  let given = hasLine ? head.slice(9, head.indexOf('\r\n')) : ''
  const { names, values } = parseFields(raw, most)
  // §6.2: at least one field, else it is no CGI answer but a document without a head.
  if (names.length === 0 && !hasLine) throw new PorticoError('BACKEND_LIED', 'no head')
  let contentLength = -1
  let connection: readonly string[] = []
  let location = ''
  let typed = false
  for (let i = 0; i < names.length; i++) {
    const value = values[i]!
    switch (names[i]) {
      case 'status':
        if (given !== '') throw new PorticoError('BACKEND_LIED', 'more than one Status')
        given = value
        if (value === '') throw new PorticoError('BACKEND_LIED', 'an empty Status')
        break
      case 'location':
        if (location !== '') throw new PorticoError('BACKEND_LIED', 'more than one Location')
        location = value
        break
      case 'content-type':
        typed = true
        break
      case 'content-length':
        contentLength = agreedLength(value, contentLength)
        break
      case 'connection':
        connection = connection.concat(listMembers(value))
        break
    }
  }
  const match = given === '' ? null : STATUS.exec(given)
  if (given !== '' && match === null) {
    throw new PorticoError('BACKEND_LIED', `Status ${JSON.stringify(given.slice(0, 64))}`)
  }
  return {
    names,
    values,
    raw,
    status: match === null ? (location === '' ? 200 : 302) : Number(match[1]),
    reason: match?.[2] ?? '',
    contentLength,
    connection,
    named: match !== null || typed || location !== '',
    location,
    // `//host/path` is a path by RFC 3875 and another host to every browser: not ours to follow.
    local: match === null && /^\/(?!\/)/.test(location),
  }
}
