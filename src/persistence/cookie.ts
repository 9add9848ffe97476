/**
 * Visitors who bring a cookie of ours, with the words of HAProxy: `insert` gives each one of our own,
 * `rewrite` puts ours into a cookie that the server sets, `prefix` puts it before the value of that one, and
 * takes it off before the server sees it.
 */
import { editFields } from '../filters/edit-fields.ts'
import { ExchangeEdited } from '../request/edited.ts'
import type { AnswerHead, Exchange, Peer } from '../request/exchange.ts'
import type { CookiePersistencePlan } from '../site/persistence-plan.ts'
import { changeCookie, cookieValue } from '../wire/cookie.ts'
import { fieldValue } from '../wire/fields.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { changeValues, findSetCookies } from '../wire/set-cookie.ts'
import type { Persistence } from './persistence.ts'
import { NO_STAMP, type Stamp, type Stamps } from './stamp.ts'

/** Between our part and the server's, as HAProxy has it. */
const MARK = '~'

export function cookie(
  plan: CookiePersistencePlan,
  stamps: Stamps,
  now: () => number = wallClock,
): Persistence {
  const visitors = new Visitors(plan, stamps, now)
  return {
    find: (key) => visitors.stampOf(key.fields).server,
    settle: (_key, _before, server) => server,
    through: (exchange, server) => visitors.through(exchange, server),
  }
}

class Visitors {
  readonly #plan: CookiePersistencePlan
  readonly #stamps: Stamps
  readonly #now: () => number
  /** Requests as servers see them; visitors repeat themselves, and identical fields are one object. */
  readonly #seen = new WeakMap<RequestFields, RequestFields>()

  constructor(plan: CookiePersistencePlan, stamps: Stamps, now: () => number) {
    this.#plan = plan
    this.#stamps = stamps
    this.#now = now
  }

  stampOf(fields: RequestFields): Stamp {
    const field = fieldValue(fields, 'cookie')
    if (field === undefined) return NO_STAMP
    const value = cookieValue(field, this.#plan.name)
    if (value === '') return NO_STAMP
    const own =
      this.#plan.mode === 'prefix' ? value.slice(0, Math.max(0, value.indexOf(MARK))) : value
    return this.#stamps.read(own, this.#now())
  }

  through(exchange: Exchange, server: number): Exchange {
    const { mode } = this.#plan
    const { fields, peer } = exchange
    if (mode === 'insert') {
      const before = this.stampOf(fields)
      return new ExchangeEdited(exchange, this.#withoutOurs(fields), (head) =>
        this.#insert(head, before, server, peer),
      )
    }
    if (mode === 'rewrite') {
      return new ExchangeEdited(exchange, fields, (head) =>
        this.#change(head, () => this.#ours(server)),
      )
    }
    return new ExchangeEdited(exchange, this.#withoutOurs(fields), (head) =>
      this.#change(head, (value) => (value === '' ? '' : `${this.#ours(server)}${MARK}${value}`)),
    )
  }

  #ours(server: number): string {
    return this.#stamps.write(server, 0, 0)
  }

  #withoutOurs(fields: RequestFields): RequestFields {
    const { mode, name, pass } = this.#plan
    const field = fieldValue(fields, 'cookie')
    if (field === undefined || !field.includes(name)) return fields
    if (mode === 'insert' && pass) return fields
    const known = this.#seen.get(fields)
    if (known !== undefined) return known
    const change =
      mode === 'insert' ? (): null => null : (value: string) => value.slice(value.indexOf(MARK) + 1)
    const rest = changeCookie(field, name, change)
    const seen =
      rest === field
        ? fields
        : editFields(fields, (each) => each === 'cookie', rest === '' ? [] : [['Cookie', rest]])
    this.#seen.set(fields, seen)
    return seen
  }

  #insert(head: AnswerHead, before: Stamp, server: number, peer: Peer): AnswerHead {
    const now = this.#now()
    const same = before.server === server
    if (same && !this.#stamps.isOld(before, now)) return head
    const value = this.#stamps.write(server, same ? before.first : now, now)
    const { name } = this.#plan
    let fields = `${head.fields}Set-Cookie: ${name}=${value}${attributes(this.#plan, peer)}\r\n`
    if (this.#plan.private && !isPrivate(head.fields)) fields += 'Cache-Control: private\r\n'
    return changed(head, fields)
  }

  #change(head: AnswerHead, change: (value: string) => string): AnswerHead {
    const places = findSetCookies(head.fields, this.#plan.name)
    return places === null ? head : changed(head, changeValues(head.fields, places, change))
  }
}

function changed({ fixed: _, ...head }: AnswerHead, fields: string): AnswerHead {
  return { ...head, fields }
}

/** Whether caches that are shared keep it for nobody anyway. */
function isPrivate(fields: string): boolean {
  return /^cache-control:[^\r\n]*\b(?:private|no-store)\b(?!=)/im.test(fields)
}

/** RFC 6265 §4.1.2 */
function attributes(plan: CookiePersistencePlan, { scheme }: Peer): string {
  const { path, domain, maxAgeS, httpOnly, sameSite, secure } = plan
  const isSecure = secure === 'always' || (secure === 'auto' && scheme === 'https')
  return [
    `; Path=${path}`,
    domain === '' ? '' : `; Domain=${domain}`,
    maxAgeS === 0 ? '' : `; Max-Age=${maxAgeS}`,
    isSecure ? '; Secure' : '',
    httpOnly ? '; HttpOnly' : '',
    sameSite === '' ? '' : `; SameSite=${sameSite[0]!.toUpperCase()}${sameSite.slice(1)}`,
  ].join('')
}

function wallClock(): number {
  return Math.floor(Date.now() / 1000)
}
