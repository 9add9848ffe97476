/** Pages of the site's own for errors: of ours, and where it is asked for of applications and servers behind. */
import type { PorticoError } from '../errors.ts'
import type { AnswerHead, ErrorPage, Exchange } from '../request/exchange.ts'
import { ExchangeThrough } from '../request/through.ts'
import type { ErrorsPlan } from '../site/filters-plan.ts'
import type { Filter } from './filter.ts'
import { PageFile } from './page-file.ts'

/** Fields of an intercepted answer that are about more than its body. */
const KEPT =
  /^(?:www-authenticate|proxy-authenticate|retry-after|set-cookie|allow|location|vary):.*\r\n/gim

/** Of an answer in whose place a page is shown, whoever is behind may finish this much, bytes. */
const MOST_DROPPED = 262_144

/** The page of a status; null: there is none. */
type PageOf = (status: number, more: string) => ErrorPage | null

export const errors: Filter<ErrorsPlan> = ({ pages, intercept }, next, { complain }) => {
  const files = new Map(
    Object.entries(pages).map(([status, file]) => [status, new PageFile(file, complain)]),
  )
  const pageOf: PageOf = (status, more) => {
    const file = files.get(String(status)) ?? files.get(`${Math.floor(status / 100)}xx`)
    if (file === undefined) return null
    const { type, body } = file.page
    const fields = `Content-Type: ${type}\r\nCache-Control: no-store\r\n${more}`
    return { head: { status, reason: '', fields, has: 0 }, body }
  }
  const ours: NonNullable<Exchange['pages']> = ({ status, retryAfter }) =>
    pageOf(status, status === 503 || status === 429 ? `Retry-After: ${retryAfter}\r\n` : '')
  return {
    name: next.name,
    handle(exchange) {
      exchange.pages = ours
      next.handle(intercept ? new InterceptedExchange(exchange, pageOf) : exchange)
    },
    close: () => next.close?.(),
  }
}

class InterceptedExchange extends ExchangeThrough {
  readonly #pageOf: PageOf
  /** A page is in place of the answer: what the handler still does has no effect. */
  #replaced = false
  #dropped = 0
  #onGone: (() => void) | null = null

  constructor(visitor: Exchange, pageOf: PageOf) {
    super(visitor)
    this.#pageOf = pageOf
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

  override respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    if (!this.#replaced && !this.#replace(head)) this.visitor.respond(head, body, length)
  }

  override start(head: AnswerHead, length: number): void {
    if (!this.#replaced && !this.#replace(head)) this.visitor.start(head, length)
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

  #replace({ status, fields }: AnswerHead): boolean {
    if (status < 400) return false
    const page = this.#pageOf(status, (fields.match(KEPT) ?? []).join(''))
    if (page === null) return false
    this.#replaced = true
    this.visitor.onGone = null
    this.visitor.respond(page.head, page.body)
    return true
  }
}
