/**
 * What schedulers know of a connection: who it is. Keys that need a request are refused when the site is
 * read (see site/draw-stream.ts), so what stands here in place of one is never looked at.
 */
import type { Peer } from '../request/exchange.ts'
import type { Key } from '../schedulers/scheduler.ts'
import { parseRequestFields, type RequestFields } from '../wire/request-fields.ts'
import { parseRequestLine, type RequestLine } from '../wire/request-line.ts'

const NO_LINE: RequestLine = parseRequestLine('GET / HTTP/1.0')
const NO_FIELDS: RequestFields = parseRequestFields('', 0, 1)

export function keyOf(peer: Peer): Key {
  return { line: NO_LINE, fields: NO_FIELDS, peer }
}
