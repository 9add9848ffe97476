/**
 * Gives requests another path, or sends visitors elsewhere. Paths are matched decoded, as routes are, and
 * written encoded; the result is read once more as any request's target is, so that `..` is resolved and
 * nothing is decoded twice. With `strip` and `add` the rest stays as the visitor spelled it.
 */
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'
import { ExchangeThrough } from '../request/through.ts'
import type { RewritePlan } from '../site/filters-plan.ts'
import { isLinear } from '../site/regular.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { decodePath, encodePath, parseRequestLine, type RequestLine } from '../wire/request-line.ts'
import type { Filter, FilterHost } from './filter.ts'
import { escapeByte, expand, locate, parseTarget, type RuleTarget } from './rewrite/target.ts'
import { utf8 } from './template.ts'

export const rewrite: Filter<RewritePlan> = (plan, next, host) => new Rewrite(plan, next, host)

const EMPTY = Buffer.alloc(0)
/** Bytes of a path that an expression without a bound on its time is tried on. */
const LONGEST_UNBOUND = 512

interface Rule {
  readonly expression: RegExp
  readonly longest: number
  readonly target: RuleTarget
  readonly status: number
  readonly again: boolean
}

class Rewrite implements Handler {
  readonly name: string
  readonly #next: Handler
  readonly #reroute: FilterHost['reroute']
  readonly #strip: string
  readonly #add: string
  readonly #rules: readonly Rule[]
  /** Kept-alive visitors share the parsed lines of their requests. */
  readonly #known = new WeakMap<RequestLine, RequestLine>()
  /** The same fields, with what servers behind are told of a prefix that the path has lost. */
  readonly #told = new WeakMap<RequestFields, RequestFields>()
  /** `X-Forwarded-Prefix`, as Traefik has it. */
  readonly #prefixLine: string
  /** Lines say all that there is to know. */
  readonly #plain: boolean

  constructor({ strip, add, rules }: RewritePlan, next: Handler, { reroute }: FilterHost) {
    this.name = next.name
    this.#next = next
    this.#reroute = reroute
    this.#strip = decodePath(utf8(strip))
    this.#prefixLine = `X-Forwarded-Prefix: ${encodePath(this.#strip)}\r\n`
    this.#add = utf8(add).replace(/[^\x21-\x7e]/g, escapeByte)
    this.#rules = rules.map(({ match, to, status, again }) => ({
      // A line break in a path is a character like any other.
      expression: new RegExp(utf8(match), 's'),
      longest: isLinear(match) ? Number.POSITIVE_INFINITY : LONGEST_UNBOUND,
      target: parseTarget(to),
      status,
      again,
    }))
    this.#plain = this.#rules.every(
      ({ target, status, again }) => status === 0 && !again && target.ofLine,
    )
  }

  handle(exchange: Exchange): void {
    const known = this.#plain ? this.#known.get(exchange.line) : undefined
    if (known !== undefined) return this.#next.handle(this.#rewritten(exchange, known))
    const line = this.#prefixed(exchange.line)
    for (const { expression, longest, target, status, again } of this.#rules) {
      if (line.path.length > longest) continue
      const captures = expression.exec(line.path)
      if (captures === null) continue
      if (status !== 0) {
        const from = line === exchange.line ? exchange : new RewrittenExchange(exchange, line)
        return exchange.respond(goTo(status, locate(target, from, captures)), EMPTY)
      }
      const from = line === exchange.line ? exchange : new RewrittenExchange(exchange, line)
      const found = retarget(line, expand(target, from, captures))
      if (again) return this.#reroute(exchange, found)
      return this.#goOn(exchange, found)
    }
    this.#goOn(exchange, line)
  }

  close(): void {
    this.#next.close?.()
  }

  #goOn(exchange: Exchange, line: RequestLine): void {
    if (line === exchange.line) return this.#next.handle(exchange)
    if (this.#plain) this.#known.set(exchange.line, line)
    this.#next.handle(this.#rewritten(exchange, line))
  }

  #rewritten(exchange: Exchange, line: RequestLine): Exchange {
    const { fields } = exchange
    if (!this.#strips(exchange.line.path)) return new RewrittenExchange(exchange, line)
    let told = this.#told.get(fields)
    if (told === undefined) {
      told = { ...fields, own: (fields.own ?? '') + this.#prefixLine, encoded: null }
      this.#told.set(fields, told)
    }
    return new RewrittenExchange(exchange, line, told)
  }

  #strips(path: string): boolean {
    const strip = this.#strip
    return strip !== '' && path.startsWith(strip) && (path[strip.length] ?? '/') === '/'
  }

  /** `strip`, then `add`. */
  #prefixed(line: RequestLine): RequestLine {
    const { path } = line
    const begins = this.#strips(path)
    if (path === '*' || (!begins && this.#add === '')) return line
    const raw = begins ? rawBehind(line, this.#strip.length) : rawBehind(line, 0)
    return retarget(line, this.#add + raw + (line.query === '' ? '' : `?${line.query}`))
  }
}

function goTo(status: number, location: string): AnswerHead {
  return { status, reason: '', fields: `Location: ${location}\r\n`, has: 0 }
}

/** The same request for another target, in origin form. Throws BAD_PATH. */
function retarget(line: RequestLine, target: string): RequestLine {
  const {
    target: written,
    path,
    query,
    origin,
  } = parseRequestLine(`${line.method} ${target} HTTP/1.1`)
  return { ...line, target: written, path, query, origin }
}

/** The path behind its first `count` bytes, as the visitor spelled it where that is possible. */
function rawBehind({ origin, path }: RequestLine, count: number): string {
  const mark = origin.indexOf('?')
  const raw = mark < 0 ? origin : origin.slice(0, mark)
  let at = 0
  let seen = 0
  while (seen < count && at < raw.length) {
    at += raw[at] === '%' ? 3 : 1
    seen++
  }
  // What divided it from the prefix is a slash now, however it was spelled.
  const rest = raw.slice(at).replace(/^%2f/i, '/')
  // Dots that were resolved make it shorter: then there is no such place in it.
  const same = isSpelling(rest, path.slice(count))
  return `/${(same ? rest : encodePath(path.slice(count))).replace(/^\/+/, '')}`
}

/** Whether `raw` says `path`, byte for byte. */
function isSpelling(raw: string, path: string): boolean {
  let at = 0
  let seen = 0
  while (at < raw.length) {
    const escaped = raw[at] === '%'
    const code = escaped ? Number.parseInt(raw.slice(at + 1, at + 3), 16) : raw.charCodeAt(at)
    if (code !== path.charCodeAt(seen++)) return false
    at += escaped ? 3 : 1
  }
  return seen === path.length
}

class RewrittenExchange extends ExchangeThrough {
  /** Programs are mounted where the new path begins. */
  override readonly prefix: string

  constructor(visitor: Exchange, line: RequestLine, fields: RequestFields = visitor.fields) {
    super(visitor, fields, line)
    this.prefix = line.path.startsWith(visitor.prefix) ? visitor.prefix : '/'
  }
}
