/** Pages of the site's own for errors: of ours, and where it is asked for of applications and servers behind. */
import type { AnswerHead, ErrorPage, Exchange } from '../request/exchange.ts'
import { ReplaceableExchange } from '../request/replaceable.ts'
import type { ErrorsPlan } from '../site/filters-plan.ts'
import type { Filter } from './filter.ts'
import { PageFile } from './page-file.ts'

/** Fields of an intercepted answer that are about more than its body. */
const KEPT =
  /^(?:www-authenticate|proxy-authenticate|retry-after|set-cookie|allow|location|vary):.*\r\n/gim

/** The page of a status; null: there is none. */
type PageOf = (status: number, more: string) => ErrorPage | null

/** Pages in place of ours, for exchanges that go to no route. */
export function errorPages(
  plan: ErrorsPlan,
  complain: (message: string) => void,
): NonNullable<Exchange['pages']> {
  return ours(filesOf(plan, complain))
}

export const errors: Filter<ErrorsPlan> = (plan, next, { complain }) => {
  const pageOf = filesOf(plan, complain)
  const pages = ours(pageOf)
  return {
    name: next.name,
    handle(exchange) {
      exchange.pages = pages
      next.handle(plan.intercept ? new InterceptedExchange(exchange, pageOf) : exchange)
    },
    close: () => next.close?.(),
  }
}

function filesOf({ pages }: ErrorsPlan, complain: (message: string) => void): PageOf {
  const files = new Map(
    Object.entries(pages).map(([status, file]) => [status, new PageFile(file, complain)]),
  )
  return (status, more) => {
    const file = files.get(String(status)) ?? files.get(`${Math.floor(status / 100)}xx`)
    if (file === undefined) return null
    const { type, body } = file.page
    const fields = `Content-Type: ${type}\r\nCache-Control: no-store\r\n${more}`
    return { head: { status, reason: '', fields, has: 0 }, body }
  }
}

function ours(pageOf: PageOf): NonNullable<Exchange['pages']> {
  return ({ status, retryAfter }) =>
    pageOf(status, status === 503 || status === 429 ? `Retry-After: ${retryAfter}\r\n` : '')
}

class InterceptedExchange extends ReplaceableExchange {
  readonly #pageOf: PageOf

  constructor(visitor: Exchange, pageOf: PageOf) {
    super(visitor)
    this.#pageOf = pageOf
  }

  protected override replace({ status, fields }: AnswerHead): boolean {
    if (status < 400) return false
    const page = this.#pageOf(status, (fields.match(KEPT) ?? []).join(''))
    if (page === null) return false
    this.takeOver()
    this.visitor.respond(page.head, page.body)
    return true
  }
}
