/**
 * Visitors known by the name that the application itself gives their session, in a cookie: nginx's `sticky
 * learn`, HAProxy's `appsession`. A session belongs to the server that has named it.
 */

import { ExchangeEdited } from '../request/edited.ts'
import type { AnswerHead, Exchange } from '../request/exchange.ts'
import { parameter } from '../schedulers/keys.ts'
import type { Key } from '../schedulers/scheduler.ts'
import type { LearnedPersistencePlan } from '../site/persistence-plan.ts'
import { cookieValue } from '../wire/cookie.ts'
import { fieldValue } from '../wire/fields.ts'
import { attributesAt, findSetCookies } from '../wire/set-cookie.ts'
import { NOBODY, type Persistence } from './persistence.ts'
import type { Belongings } from './table.ts'

/** RFC 6265 §5.2.2: an age of nothing, or less. */
const TAKEN_BACK = /;\s*max-age\s*=\s*(?:"?(?:-\d*|0+)"?\s*)?(?:;|$)/i

type Plan = Pick<LearnedPersistencePlan, 'cookie' | 'query' | 'fromRequests'>

export function learned(plan: Plan, table: Belongings): Persistence {
  const learn = (head: AnswerHead, server: number): AnswerHead => {
    const { fields } = head
    const given = findSetCookies(fields, plan.cookie)
    if (given === null) return head
    for (const place of given) {
      const session = fields.slice(place.from, place.to)
      // A cookie that is taken back names no session.
      if (session === '' || TAKEN_BACK.test(attributesAt(fields, place))) continue
      table.put(session, server)
    }
    return head
  }
  return {
    find(key) {
      const session = sessionOf(key, plan)
      return session === '' ? NOBODY : table.find(session)
    },
    settle(key, before, server) {
      if (!plan.fromRequests && before === NOBODY) return server
      const session = sessionOf(key, plan)
      return session === '' ? server : table.settle(session, before, server)
    },
    through: (exchange: Exchange, server) =>
      new ExchangeEdited(exchange, exchange.fields, (head) => learn(head, server)),
  }
}

/** '' for none. */
function sessionOf({ line, fields }: Key, { cookie, query }: Plan): string {
  const field = fieldValue(fields, 'cookie')
  const session = field === undefined ? '' : cookieValue(field, cookie)
  if (session !== '' || query === '') return session
  return parameter(line.query, query) || pathParameter(line.origin, query)
}

/** `/shop/cart;jsessionid=…`: a parameter of the path (RFC 3986 §3.3), as it came. */
function pathParameter(origin: string, name: string): string {
  const question = origin.indexOf('?')
  const path = question < 0 ? origin : origin.slice(0, question)
  const at = path.indexOf(`;${name}=`)
  if (at < 0) return ''
  const from = at + name.length + 2
  const end = path.slice(from).search(/[;/]/)
  return end < 0 ? path.slice(from) : path.slice(from, from + end)
}
