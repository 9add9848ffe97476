/**
 * Tells browsers which other sites' pages may read the answers (the Fetch standard, §3.2). Preflight
 * requests are answered here and go no further: they carry nobody's name. What applications say of it
 * themselves is taken out, since two words on it are none.
 */
import type { AnswerHead, EditHead, Exchange } from '../request/exchange.ts'
import type { CorsPlan } from '../site/filters-plan.ts'
import { fieldValue, isToken, listMembers } from '../wire/fields.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { edits } from './edits.ts'
import type { Filter } from './filter.ts'
import { remembering } from './headers.ts'
import { vary } from './vary.ts'

const EMPTY = Buffer.alloc(0)
/** Longer ones are no browser's. */
const LONGEST_ORIGIN = 512
/** Of fields that a page may ask for with `headers: "*"`. */
const MOST_ASKED = 64
/** Origins whose edit is remembered. */
const MOST_KNOWN = 256

const THEIRS =
  /^access-control-(?:allow-(?:origin|credentials|methods|headers|private-network)|expose-headers|max-age):.*\r\n/gim

export const cors: Filter<CorsPlan> = (plan, next) => {
  const allowed = originTest(plan.origins)
  /** The same for everybody: then caches need not keep answers apart. */
  const open = plan.origins.includes('*')
  const nobody = remembering(editFor('', plan, open))
  const everybody = remembering(editFor('*', plan, open))
  const known = new Map<string, EditHead>()

  const editOf = (origin: string): EditHead => {
    if (open) return everybody
    if (origin === '' || !allowed(origin)) return nobody
    let edit = known.get(origin)
    if (edit === undefined) {
      if (known.size >= MOST_KNOWN) known.clear()
      edit = remembering(editFor(origin, plan, open))
      known.set(origin, edit)
    }
    return edit
  }

  return {
    name: next.name,
    handle(exchange) {
      const { fields } = exchange
      const origin = fieldValue(fields, 'origin') ?? ''
      edits(exchange, editOf(origin))
      if (origin !== '' && isPreflight(exchange)) {
        const may = open || allowed(origin)
        return exchange.respond(preflight(plan, fields, may), EMPTY)
      }
      next.handle(exchange)
    },
    close: () => next.close?.(),
  }
}

function isPreflight({ line, fields }: Exchange): boolean {
  return (
    line.method === 'OPTIONS' && fieldValue(fields, 'access-control-request-method') !== undefined
  )
}

/** What every answer says of `origin`: '' for none that may. */
function editFor(origin: string, plan: CorsPlan, open: boolean): EditHead {
  let said = ''
  if (origin !== '') {
    said = `Access-Control-Allow-Origin: ${origin}\r\n`
    if (plan.credentials) said += 'Access-Control-Allow-Credentials: true\r\n'
  }
  const exposed =
    origin === '' || plan.expose.length === 0
      ? ''
      : `Access-Control-Expose-Headers: ${plan.expose.join(', ')}\r\n`
  return (head) => {
    if (head === PREFLIGHT_REFUSED) return open ? head : vary(head, 'Origin')
    const isPreflight = preflights.has(head)
    const kept = isPreflight ? head.fields : head.fields.replace(THEIRS, '')
    const fields = kept + said + (isPreflight ? '' : exposed)
    const edited = { ...head, fields }
    return open ? edited : vary(edited, 'Origin')
  }
}

/** Heads that were made here. */
const preflights = new WeakSet<AnswerHead>()
const PREFLIGHT_REFUSED: AnswerHead = { status: 204, reason: '', fields: '', has: 0 }

function preflight(plan: CorsPlan, fields: RequestFields, may: boolean): AnswerHead {
  if (!may) return PREFLIGHT_REFUSED
  const method = fieldValue(fields, 'access-control-request-method') ?? ''
  const asked = fieldValue(fields, 'access-control-request-headers') ?? ''
  let text = `Access-Control-Allow-Methods: ${methodsFor(plan, method)}\r\n`
  const names = namesFor(plan, asked)
  if (names !== '') text += `Access-Control-Allow-Headers: ${names}\r\n`
  if (plan.maxAgeSeconds > 0) text += `Access-Control-Max-Age: ${plan.maxAgeSeconds}\r\n`
  text += 'Vary: Access-Control-Request-Method, Access-Control-Request-Headers\r\n'
  const near = fieldValue(fields, 'access-control-request-private-network') === 'true'
  if (plan.privateNetwork && near) text += 'Access-Control-Allow-Private-Network: true\r\n'
  const head: AnswerHead = { status: 204, reason: '', fields: text, has: 0 }
  preflights.add(head)
  return head
}

/** With credentials `*` would be a method of that name (Fetch §3.2.5). */
function methodsFor({ methods, credentials }: CorsPlan, asked: string): string {
  if (!methods.includes('*')) return methods.join(', ')
  return credentials && isToken(asked) ? asked : '*'
}

/** The same, and `*` never stands for Authorization: so those that were asked for are named. */
function namesFor({ headers }: CorsPlan, asked: string): string {
  if (!headers.includes('*')) return headers.join(', ')
  const members = listMembers(asked)
  return members.length <= MOST_ASKED && members.every(isToken) ? members.join(', ') : ''
}

/** Which origins are listed. An origin is compared as a whole, never by its beginning or end. */
export function originTest(origins: readonly string[]): (origin: string) => boolean {
  const exact = new Set(origins.filter((each) => !/^~|\/\/\*\./.test(each)))
  const patterns = origins.filter((each) => each.startsWith('~')).map(whole)
  const below = origins
    .filter((each) => each.includes('//*.'))
    .map((each) => new RegExp(`^${RegExp.escape(each).replace('\\*\\.', '(?:[a-z0-9_-]+\\.)+')}$`))
  return (given) => {
    if (given.length > LONGEST_ORIGIN) return false
    if (given === 'null') return exact.has('null')
    const origin = given.toLowerCase()
    return exact.has(origin) || [...below, ...patterns].some((pattern) => pattern.test(origin))
  }
}

/**
 * Its letters small, as those of the origin are: the engine without backtracking, which slow expressions
 * need, knows no flag `i`.
 */
function whole(text: string): RegExp {
  const small = text
    .slice(1)
    .replace(/\\.|[A-Z]/gs, (each) => (each.length === 1 ? each.toLowerCase() : each))
  return new RegExp(`^(?:${small})$`)
}
