/** An exchange in whose answer's place something else may be sent, once its head is known. */
import type { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange } from './exchange.ts'
import { ExchangeThrough } from './through.ts'

/** Of a body in whose place something else is sent, whoever is behind may finish this much, bytes. */
const MOST_DROPPED = 262_144

export abstract class ReplaceableExchange extends ExchangeThrough {
  /** Something is in place of the answer: what the handler still does has no effect. */
  #replaced = false
  #dropped = 0
  #onGone: (() => void) | null = null

  constructor(visitor: Exchange) {
    super(visitor)
    const send = this.sendFile
    if (send !== undefined) {
      this.sendFile = (fd, offset, length, done) => {
        if (this.#replaced) done(-1)
        else send(fd, offset, length, done)
      }
    }
  }

  /** Looks at the head of the answer. True: it has taken over, and has answered the visitor itself. */
  protected abstract replace(head: AnswerHead): boolean

  /** From here on the handler is answering nobody. */
  protected takeOver(): void {
    this.#replaced = true
    this.visitor.onGone = null
    this.visitor.onDrain = null
  }

  readonly #gone = (): void => this.#onGone?.()

  override get answered(): boolean {
    return this.#replaced || this.visitor.answered
  }

  override get onGone(): (() => void) | null {
    return this.#onGone
  }

  override set onGone(call: (() => void) | null) {
    this.#onGone = call
    if (!this.#replaced) this.visitor.onGone = call === null ? null : this.#gone
  }

  override get onDrain(): (() => void) | null {
    return this.#replaced ? null : this.visitor.onDrain
  }

  override set onDrain(call: (() => void) | null) {
    if (!this.#replaced) this.visitor.onDrain = call
  }

  override inform(status: number, fields: string): void {
    if (!this.#replaced) this.visitor.inform(status, fields)
  }

  override respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    if (!this.#replaced && !this.replace(head)) this.visitor.respond(head, body, length)
  }

  override start(head: AnswerHead, length: number): void {
    if (!this.#replaced && !this.replace(head)) this.visitor.start(head, length)
  }

  override write(chunk: Uint8Array, owned: boolean): boolean {
    if (!this.#replaced) return this.visitor.write(chunk, owned)
    this.#dropped += chunk.length
    // To whoever sends so much for nothing it is as if the visitor had left.
    if (this.#dropped > MOST_DROPPED) {
      const gone = this.#onGone
      this.#onGone = null
      gone?.()
    }
    return true
  }

  override end(trailers?: string): void {
    if (!this.#replaced) this.visitor.end(trailers)
  }

  override fail(error: PorticoError): void {
    if (!this.#replaced) this.visitor.fail(error)
  }
}
