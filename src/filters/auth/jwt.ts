/**
 * Lets in who brings a JSON Web Token that is signed by a known key, is valid now and says what is wanted.
 * Verified tokens are remembered until they expire, or keys change, so that a signature is computed once.
 */
import { PorticoError } from '../../errors.ts'
import { clock } from '../../request/clock.ts'
import type { Exchange, Handler } from '../../request/exchange.ts'
import { ExchangeThrough } from '../../request/through.ts'
import type { JwtPlan, TokenPlace } from '../../site/filters-plan.ts'
import { cookieValue } from '../../wire/cookie.ts'
import { fieldValue, isFieldValue, trimBlanks } from '../../wire/fields.ts'
import type { RequestFields } from '../../wire/request-fields.ts'
import { editFields, type Field } from '../edit-fields.ts'
import { edits } from '../edits.ts'
import type { FilterHost } from '../filter.ts'
import { goOn } from '../go-on.ts'
import { argument } from '../template.ts'
import { claimTest } from './claims-of.ts'
import { isPlain, judgeToken } from './jwt/judge.ts'
import { type KeySource, keySource } from './jwt/key-source.ts'
import type { Key } from './jwt/keys.ts'
import { LONGEST_TOKEN, parseToken, type Token } from './jwt/token.ts'

/** Tokens that were good, of all visitors: 8 MB at most. */
const MOST_KNOWN = 2048
const LONGEST_KNOWN = 4096

export function jwt(
  plan: JwtPlan,
  next: Handler,
  host: FilterHost,
  exempt: ((address: string) => boolean) | null = null,
): Handler {
  return new Jwt(plan, next, host, exempt)
}

const NO_KEYS = new PorticoError('AUTH_FAILED', 'there are no keys to verify tokens with')
const FORBIDDEN = new PorticoError('FORBIDDEN')

/** What a good token says, for the request. */
interface Known {
  readonly keys: readonly Key[]
  /** Seconds since 1970. */
  readonly until: number
  readonly more: readonly Field[]
  readonly user: string
}

/** A block of fields whose token was good. */
interface Pass extends Pick<Known, 'keys' | 'until'> {
  readonly told: RequestFields
}

class Jwt implements Handler {
  readonly name: string
  readonly #plan: JwtPlan
  readonly #next: Handler
  readonly #exempt: ((address: string) => boolean) | null
  readonly #source: KeySource
  readonly #drops: (name: string) => boolean
  readonly #realm: string
  /** The token is among the fields alone. */
  readonly #inFields: boolean
  readonly #known = new Map<string, Known>()
  readonly #errors = new Map<string, PorticoError>()
  readonly #passes = new WeakMap<RequestFields, Pass>()
  readonly #plain = new WeakMap<RequestFields, RequestFields>()

  constructor(
    plan: JwtPlan,
    next: Handler,
    { complain }: FilterHost,
    exempt: ((address: string) => boolean) | null,
  ) {
    this.name = next.name
    this.#plan = plan
    this.#next = next
    this.#exempt = exempt
    this.#source = keySource(plan, complain)
    const ends = plan.from
      .filter(({ of }) => !plan.pass && (of === 'bearer' || of === 'header'))
      .map(({ name }) => name)
    this.#drops = claimTest([...Object.values(plan.claims), ...ends])
    this.#realm = Buffer.from(plan.realm).toString('latin1').replace(/["\\]/g, '\\$&')
    this.#inFields = plan.from.every(({ of }) => of !== 'query')
  }

  handle(exchange: Exchange): void {
    const { fields } = exchange
    if (this.#exempt?.(exchange.peer.address) === true) {
      return this.#next.handle(new ExchangeThrough(exchange, this.#nameless(fields)))
    }
    const pass = this.#passes.get(fields)
    const { keys } = this.#source
    if (pass !== undefined && pass.keys === keys && pass.until > clock.second) {
      return this.#next.handle(new ExchangeThrough(exchange, pass.told))
    }
    if (keys === null) return this.#wait(exchange, () => exchange.fail(NO_KEYS))
    this.#judge(exchange, keys, true)
  }

  close(): void {
    this.#source.close()
    this.#next.close?.()
  }

  /** `mayWait`: for keys that are newer. */
  #judge(exchange: Exchange, keys: readonly Key[], mayWait: boolean): void {
    const text = tokenOf(exchange, this.#plan.from)
    if (text === '') return this.#refuse(exchange, '')
    const known = this.#known.get(text)
    if (known !== undefined) {
      if (known.keys === keys && known.until > clock.second) return this.#admit(exchange, known)
      this.#known.delete(text)
    }
    const token = parseToken(text)
    if (token === null) return this.#refuse(exchange, 'it is malformed')
    const verdict = judgeToken(token, keys, this.#plan, Date.now() / 1000)
    if (!verdict.good) {
      const refuse = (): void => this.#refuse(exchange, verdict.why, verdict.forbidden)
      return verdict.unknownKey && mayWait ? this.#wait(exchange, refuse) : refuse()
    }
    const { until } = verdict
    const made = { keys, until, more: this.#fieldsOf(token), user: this.#userOf(token) }
    if (text.length <= LONGEST_KNOWN) {
      // The one that was good the longest time ago goes.
      if (this.#known.size >= MOST_KNOWN) this.#known.delete(this.#known.keys().next().value!)
      this.#known.set(Buffer.from(text, 'latin1').toString('latin1'), made)
    }
    this.#admit(exchange, made)
  }

  /** For keys that are being fetched; `otherwise` where there will be no other ones. */
  #wait(exchange: Exchange, otherwise: () => void): void {
    const before = this.#source.keys
    let gone = false
    const waits = this.#source.wait(() => {
      if (gone || exchange.gone) return
      exchange.onGone = null
      const { keys } = this.#source
      if (keys === null || keys === before) return otherwise()
      this.#judge(exchange, keys, false)
    })
    if (!waits) return otherwise()
    exchange.onGone = () => {
      gone = true
    }
  }

  #admit(exchange: Exchange, { keys, until, more, user }: Known): void {
    const { fields } = exchange
    const told: RequestFields = {
      ...editFields(fields, this.#drops, more),
      ...(user === '' ? {} : { user, authType: 'Bearer' }),
    }
    if (this.#inFields) this.#passes.set(fields, { keys, until, told })
    goOn(this.#next, new ExchangeThrough(exchange, told))
  }

  #fieldsOf({ claims }: Token): Field[] {
    return Object.entries(this.#plan.claims).flatMap(([claim, name]): Field[] => {
      const value = Object.hasOwn(claims, claim) ? asText(claims[claim]) : ''
      return value === '' ? [] : [[name, value]]
    })
  }

  #userOf({ claims }: Token): string {
    const { user } = this.#plan
    return user !== '' && Object.hasOwn(claims, user) ? asText(claims[user]) : ''
  }

  #nameless(fields: RequestFields): RequestFields {
    let told = this.#plain.get(fields)
    if (told === undefined) {
      told = editFields(fields, this.#drops, [])
      this.#plain.set(fields, told)
    }
    return told
  }

  /** Made once: a stack for everybody who is refused is dear. */
  #errorOf(why: string): PorticoError {
    let error = this.#errors.get(why)
    if (error === undefined) {
      error = new PorticoError('BAD_TOKEN', why)
      this.#errors.set(why, error)
    }
    return error
  }

  /** RFC 6750 §3.1. `why`: '' where there was no token. */
  #refuse(exchange: Exchange, why: string, forbidden = false): void {
    let challenge = `WWW-Authenticate: Bearer realm="${this.#realm}"`
    if (why !== '') {
      const code = forbidden ? 'insufficient_scope' : 'invalid_token'
      challenge += `, error="${code}", error_description="${why.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '')}"`
    }
    edits(exchange, ({ fixed: _, ...rest }) => ({
      ...rest,
      fields: `${rest.fields}${challenge}\r\n`,
    }))
    exchange.fail(forbidden ? FORBIDDEN : this.#errorOf(why))
  }
}

/** '' for none. */
function tokenOf(exchange: Exchange, from: readonly TokenPlace[]): string {
  const { fields, line } = exchange
  for (const { of, name } of from) {
    const value =
      of === 'query'
        ? argument(line.query, name)
        : of === 'cookie'
          ? cookieValue(fieldValue(fields, 'cookie') ?? '', name)
          : (fieldValue(fields, name) ?? '')
    const token = of === 'bearer' ? (/^bearer +(\S+)$/i.exec(value)?.[1] ?? '') : value
    if (token !== '' && token.length <= LONGEST_TOKEN) return token
  }
  return ''
}

/** A claim as a field's value: UTF-8 bytes, one latin-1 character each; '' for what cannot be one. */
function asText(value: unknown): string {
  const text =
    typeof value === 'string'
      ? value
      : Array.isArray(value)
        ? value.filter(isPlain).join(',')
        : typeof value === 'number' || typeof value === 'boolean'
          ? String(value)
          : ''
  const bytes = trimBlanks(Buffer.from(text).toString('latin1'))
  return isFieldValue(bytes) ? bytes : ''
}
