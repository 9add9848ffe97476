/** An exchange whose final answer is changed on its way to the visitor, whoever else stands between. */
import type { Duplex } from 'node:stream'
import type { RequestFields } from '../wire/request-fields.ts'
import type { AnswerHead, EditHead, Exchange } from './exchange.ts'
import { ExchangeThrough } from './through.ts'

export class ExchangeEdited extends ExchangeThrough {
  readonly #change: EditHead

  /** Error pages, which are nobody's answer, are not put through `change`. */
  constructor(visitor: Exchange, fields: RequestFields, change: EditHead) {
    super(visitor, fields)
    this.#change = change
  }

  override respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    this.visitor.respond(this.#change(head), body, length)
  }

  override start(head: AnswerHead, length: number): void {
    this.visitor.start(this.#change(head), length)
  }

  override upgrade(head: AnswerHead): Duplex {
    return this.visitor.upgrade(this.#change(head))
  }
}
