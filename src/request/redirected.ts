/**
 * A visitor's request after a handler has found that another path should answer it (RFC 3875 §6.2.2): a GET
 * for that path, without a body; its answer is the visitor's.
 */
import type { Duplex } from 'node:stream'
import type { PorticoError } from '../errors.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { parseRequestLine, type RequestLine } from '../wire/request-line.ts'
import type { AnswerHead, BodySink, Exchange, Peer } from './exchange.ts'

export class RedirectedExchange implements Exchange {
  readonly line: RequestLine
  readonly fields: RequestFields
  readonly peer: Peer
  readonly began: number
  /** How often this request has been redirected so far. */
  readonly count: number
  prefix = ''
  captures: readonly string[] | null = null
  maxBody = 0
  readonly sendFile?: NonNullable<Exchange['sendFile']>
  readonly #visitor: Exchange

  /** `target`: a path, perhaps with a query. Throws BAD_REQUEST_LINE or BAD_PATH. */
  constructor(from: Exchange, target: string) {
    const { line, fields, peer, began } = from
    const method = line.method === 'HEAD' ? 'HEAD' : 'GET'
    const { minor, host, hostPort } = line
    this.line = { ...parseRequestLine(`${method} ${target} HTTP/1.1`), minor, host, hostPort }
    this.fields = withoutBody(fields)
    this.peer = peer
    this.began = began
    this.count = from instanceof RedirectedExchange ? from.count + 1 : 1
    this.#visitor = from instanceof RedirectedExchange ? from.#visitor : from
    const visitor = this.#visitor
    if (visitor.sendFile !== undefined) this.sendFile = visitor.sendFile.bind(visitor)
  }

  get answered(): boolean {
    return this.#visitor.answered
  }

  get gone(): boolean {
    return this.#visitor.gone
  }

  get onGone(): (() => void) | null {
    return this.#visitor.onGone
  }

  set onGone(call: (() => void) | null) {
    this.#visitor.onGone = call
  }

  get onDrain(): (() => void) | null {
    return this.#visitor.onDrain
  }

  set onDrain(call: (() => void) | null) {
    this.#visitor.onDrain = call
  }

  receive(sink: BodySink): void {
    sink.end('')
  }

  resume(): void {}

  inform(status: number, fields: string): void {
    this.#visitor.inform(status, fields)
  }

  respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    this.#visitor.respond(head, body, length)
  }

  start(head: AnswerHead, length: number): void {
    this.#visitor.start(head, length)
  }

  write(chunk: Uint8Array, owned: boolean): boolean {
    return this.#visitor.write(chunk, owned)
  }

  end(trailers?: string): void {
    this.#visitor.end(trailers)
  }

  fail(error: PorticoError): void {
    this.#visitor.fail(error)
  }

  get canUpgrade(): boolean {
    return this.#visitor.canUpgrade === true
  }

  upgrade(head: AnswerHead): Duplex {
    return this.#visitor.upgrade(head)
  }
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
