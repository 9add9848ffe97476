/**
 * The head of an HTTP/1.1 answer: status line and fields, and what they say about the body (RFC 9112
 * §4, §6.3). Pure and strict: an answer that two readers could take for different lengths is refused.
 */
import { PorticoError } from '../errors.ts'
import { type FieldList, listMembers, parseFields } from './fields.ts'
import { parseLength } from './request-fields.ts'

/** Where a body ends (RFC 9112 §6.3). */
export const BodyEnd = { NONE: 0, LENGTH: 1, CHUNKED: 2, CLOSE: 3 } as const

/** An answer's head, parsed and judged once. Immutable. */
export interface AnswerHeadFacts extends FieldList {
  /** 0 or 1, of HTTP/1. */
  readonly minor: number
  /** 100 to 599. */
  readonly status: number
  readonly reason: string
  /** The field block as it came: `Name: value\r\n` lines, valid. */
  readonly raw: string
  /** Bytes of the body as announced; -1: not given. */
  readonly contentLength: number
  readonly chunked: boolean
  /** The connection may carry another answer after this one (RFC 9112 §9.3). */
  readonly persistent: boolean
  /** The Connection options, lower case. */
  readonly connection: readonly string[]
}

/**
 * `HTTP/1.x SP 3DIGIT [SP reason]`. The blank before an empty reason is required by RFC 9112 §4 but
 * often left out; nothing depends on it.
 */
const STATUS_LINE = /^HTTP\/1\.([0-9]) ([1-5][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?$/

/**
 * Parses the head of an answer: `text` is latin-1, ends with the CRLF of the last line and holds no
 * empty line. `most` bounds the number of fields. Throws BACKEND_LIED.
 */
export function parseAnswerHead(text: string, most: number): AnswerHeadFacts {
  try {
    return parse(text, most)
  } catch (cause) {
    if (!(cause instanceof PorticoError) || cause.code === 'BACKEND_LIED') throw cause
    throw new PorticoError('BACKEND_LIED', cause.message, { cause })
  }
}

function parse(text: string, most: number): AnswerHeadFacts {
  const end = text.indexOf('\r\n')
  const line = end < 0 ? null : STATUS_LINE.exec(text.slice(0, end))
  if (line === null) throw new PorticoError('BACKEND_LIED', 'status line')
  const minor = line[1] === '0' ? 0 : 1
  const raw = text.slice(end + 2)
  const { names, values } = parseFields(raw, most)
  let contentLength = -1
  let coding = ''
  let connection: readonly string[] = []
  for (let i = 0; i < names.length; i++) {
    const value = values[i]!
    switch (names[i]) {
      case 'content-length':
        contentLength = agreedLength(value, contentLength)
        break
      case 'transfer-encoding':
        coding = coding === '' ? value.toLowerCase() || ',' : `${coding},${value.toLowerCase()}`
        break
      case 'connection':
        connection = connection.concat(listMembers(value))
        break
    }
  }
  if (coding !== '') {
    // RFC 9112 §6.1: a coding in HTTP/1.0, or beside a length, is faulty framing.
    if (minor === 0) throw new PorticoError('BACKEND_LIED', 'Transfer-Encoding in HTTP/1.0')
    if (contentLength >= 0) {
      throw new PorticoError('BACKEND_LIED', 'Content-Length beside Transfer-Encoding')
    }
    if (coding !== 'chunked') {
      throw new PorticoError(
        'BACKEND_LIED',
        `Transfer-Encoding ${JSON.stringify(coding.slice(0, 64))}`,
      )
    }
  }
  return {
    minor,
    status: Number(line[2]),
    reason: line[3] ?? '',
    names,
    values,
    raw,
    contentLength,
    chunked: coding !== '',
    persistent: !connection.includes('close') && (minor === 1 || connection.includes('keep-alive')),
    connection,
  }
}

/** RFC 9112 §6.3 item 5: several lengths are one when they are all the same, else an error. */
export function agreedLength(value: string, before: number): number {
  let agreed = before
  for (const part of value.split(',')) {
    const length = parseLength(part.trim())
    if (agreed >= 0 && length !== agreed) {
      throw new PorticoError('BACKEND_LIED', 'more than one Content-Length')
    }
    agreed = length
  }
  return agreed
}

/** How the body of this answer to a request with `method` ends (RFC 9112 §6.3). */
export function bodyEnd(facts: AnswerHeadFacts, method: string): number {
  const { status } = facts
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return BodyEnd.NONE
  if (facts.chunked) return BodyEnd.CHUNKED
  return facts.contentLength >= 0 ? BodyEnd.LENGTH : BodyEnd.CLOSE
}
