/** An exchange that stands before another one, for handlers that change a part of it. */
import type { Duplex } from 'node:stream'
import type { PorticoError } from '../errors.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import type { RequestLine } from '../wire/request-line.ts'
import type { AnswerHead, BodySink, EditHead, Exchange, Peer } from './exchange.ts'
import type { Trace } from './trace.ts'

/**
 * The host that the visitor asked for, lower case: what filters say to servers behind is none of a route's
 * affair.
 */
export function hostAsked(exchange: Exchange): string {
  let visitor = exchange
  while (visitor instanceof ExchangeThrough) visitor = visitor.visitor
  const { line, fields } = visitor
  return line.host === '' ? fields.host : line.host
}

/** Everything goes through to `visitor`, but what a subclass does otherwise. */
export class ExchangeThrough implements Exchange {
  readonly line: RequestLine
  readonly fields: RequestFields
  readonly peer: Peer
  readonly began: number
  readonly prefix: string
  readonly captures: readonly string[] | null
  readonly maxBody: number
  sendFile?: NonNullable<Exchange['sendFile']>
  /** What this one stands before. */
  readonly visitor: Exchange

  constructor(
    visitor: Exchange,
    fields: RequestFields = visitor.fields,
    line: RequestLine = visitor.line,
  ) {
    this.visitor = visitor
    this.line = line
    this.fields = fields
    this.peer = visitor.peer
    this.began = visitor.began
    this.prefix = visitor.prefix
    this.captures = visitor.captures
    this.maxBody = visitor.maxBody
    if (visitor.sendFile !== undefined) this.sendFile = visitor.sendFile.bind(visitor)
  }

  get trace(): Trace | null {
    return this.visitor.trace ?? null
  }

  get answered(): boolean {
    return this.visitor.answered
  }

  get gone(): boolean {
    return this.visitor.gone
  }

  get onGone(): (() => void) | null {
    return this.visitor.onGone
  }

  set onGone(call: (() => void) | null) {
    this.visitor.onGone = call
  }

  get onDrain(): (() => void) | null {
    return this.visitor.onDrain
  }

  set onDrain(call: (() => void) | null) {
    this.visitor.onDrain = call
  }

  get onFinished(): (() => void) | null {
    return this.visitor.onFinished ?? null
  }

  set onFinished(call: (() => void) | null) {
    this.visitor.onFinished = call
  }

  get edit(): EditHead | null {
    return this.visitor.edit ?? null
  }

  set edit(edit: EditHead | null) {
    this.visitor.edit = edit
  }

  get pages(): NonNullable<Exchange['pages']> | null {
    return this.visitor.pages ?? null
  }

  set pages(pages: NonNullable<Exchange['pages']> | null) {
    this.visitor.pages = pages
  }

  receive(sink: BodySink): void {
    this.visitor.receive(sink)
  }

  resume(): void {
    this.visitor.resume()
  }

  inform(status: number, fields: string): void {
    this.visitor.inform(status, fields)
  }

  respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    this.visitor.respond(head, body, length)
  }

  start(head: AnswerHead, length: number): void {
    this.visitor.start(head, length)
  }

  write(chunk: Uint8Array, owned: boolean): boolean {
    return this.visitor.write(chunk, owned)
  }

  end(trailers?: string): void {
    this.visitor.end(trailers)
  }

  fail(error: PorticoError): void {
    this.visitor.fail(error)
  }

  get canUpgrade(): boolean {
    return this.visitor.canUpgrade === true
  }

  upgrade(head: AnswerHead): Duplex {
    return this.visitor.upgrade(head)
  }
}
