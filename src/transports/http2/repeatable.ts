/**
 * An exchange whose body may be sent again: a backend that leaves has often not processed what was sent to
 * it last, and says so only when the body is under way.
 */

import type { PorticoError } from '../../errors.ts'
import type { AnswerHead, BodySink, Exchange } from '../../request/exchange.ts'
import { KeptBody } from '../../request/kept-body.ts'
import { ExchangeThrough } from '../../request/through.ts'

/** Larger bodies are sent once, bytes. */
const MOST_KEPT = 65_536

export class Repeatable extends ExchangeThrough {
  readonly #body: KeptBody
  /** Nobody else can have the body. */
  begun = false

  constructor(visitor: Exchange) {
    super(visitor)
    this.#body = new KeptBody(visitor, MOST_KEPT)
  }

  /** The same backend can have all of it once more. */
  get whole(): boolean {
    return this.#body.whole
  }

  override receive(sink: BodySink): void {
    this.begun = true
    this.#body.give(sink)
  }

  override resume(): void {
    this.#body.resume()
  }

  override get onGone(): (() => void) | null {
    return super.onGone
  }

  override set onGone(call: (() => void) | null) {
    super.onGone =
      call === null
        ? null
        : () => {
            this.#body.drop()
            call()
          }
  }

  override respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    this.#body.drop()
    super.respond(head, body, length)
  }

  /** The answer may come while the body still goes. */
  override start(head: AnswerHead, length: number): void {
    this.#body.settle()
    super.start(head, length)
  }

  override end(trailers?: string): void {
    this.#body.drop()
    super.end(trailers)
  }

  override fail(error: PorticoError): void {
    this.#body.drop()
    super.fail(error)
  }
}
