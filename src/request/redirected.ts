/**
 * A visitor's request after a handler has found that another path should answer it (RFC 3875 §6.2.2): a GET
 * for that path, without a body; its answer is the visitor's.
 */
import type { RequestFields } from '../wire/request-fields.ts'
import { parseRequestLine, type RequestLine } from '../wire/request-line.ts'
import type { BodySink, Exchange } from './exchange.ts'
import { ExchangeThrough } from './through.ts'

export class RedirectedExchange extends ExchangeThrough {
  override readonly line: RequestLine
  /** Counted with the route that it came from. */
  route = -1
  /** Of the route that the new path leads to. */
  override prefix = ''
  override captures: readonly string[] | null = null
  override maxBody = 0
  /** How often this request has been redirected so far. */
  readonly count: number

  /** `target`: a path, perhaps with a query. Throws BAD_REQUEST_LINE or BAD_PATH. */
  constructor(from: Exchange, target: string) {
    // Not through all that it was before: handlers that stood in between have had their say.
    const before = redirectedBefore(from)
    super(before?.visitor ?? from, withoutBody(from.fields))
    this.count = (before?.count ?? 0) + 1
    const { minor, host, hostPort } = from.line
    const method = from.line.method === 'HEAD' ? 'HEAD' : 'GET'
    this.line = { ...parseRequestLine(`${method} ${target} HTTP/1.1`), minor, host, hostPort }
  }

  override receive(sink: BodySink): void {
    sink.end('')
  }

  override resume(): void {}
}

/** Filters of the route that it came to may stand before it. */
function redirectedBefore(from: Exchange): RedirectedExchange | null {
  for (let each = from; each instanceof ExchangeThrough; each = each.visitor) {
    if (each instanceof RedirectedExchange) return each
  }
  return null
}

/** Fields that speak of a body. */
const OF_A_BODY = /^(content-.*|transfer-encoding|expect|trailer)$/

function withoutBody(fields: RequestFields): RequestFields {
  const kept = fields.names.map((name) => !OF_A_BODY.test(name))
  if (!kept.includes(false)) return fields
  const lines = fields.raw.split('\r\n')
  return {
    ...fields,
    names: fields.names.filter((_, i) => kept[i]),
    values: fields.values.filter((_, i) => kept[i]),
    raw: lines.map((line, i) => (kept[i] ? `${line}\r\n` : '')).join(''),
    contentLength: 0,
    hasLength: false,
    chunked: false,
    expectContinue: false,
    encoded: null,
  }
}
