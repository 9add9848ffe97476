/**
 * Asks visitors for a name and a password. Passwords are verified in a thread of their own; that one was
 * right is remembered as a keyed hash, so that only the first request waits. Applications know the name as
 * REMOTE_USER; the Authorization field ends here.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'
import { ExchangeThrough } from '../request/through.ts'
import type { AuthPlan } from '../site/filters-plan.ts'
import { fieldValue } from '../wire/fields.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import { claimTest } from './auth/claims-of.ts'
import { type Credentials, parseCredentials } from './auth/credentials.ts'
import { Users } from './auth/users.ts'
import { Verifier } from './auth/verifier.ts'
import { edits } from './edits.ts'
import type { FilterHost } from './filter.ts'
import { goOn } from './go-on.ts'

/** Pairs that were right, of all visitors. */
const MOST_KNOWN = 4096

/** `exempt`: by address, who need not say who they are. */
export function auth(
  plan: AuthPlan,
  next: Handler,
  host: FilterHost,
  exempt: ((address: string) => boolean) | null = null,
): Handler {
  return new Auth(plan, next, host, exempt)
}

const UNAUTHORIZED = new PorticoError('UNAUTHORIZED')
const BUSY = new PorticoError('TOO_MANY_NOW', 'passwords are being verified')

/** A block of fields whose credentials were right. */
interface Pass {
  readonly name: string
  /** The hash that they were right for. */
  readonly hash: string
  readonly told: RequestFields
}

class Auth implements Handler {
  readonly name: string
  readonly #next: Handler
  readonly #users: Users
  readonly #pass: boolean
  readonly #exempt: ((address: string) => boolean) | null
  readonly #verifier = new Verifier()
  readonly #challenge: (head: AnswerHead) => AnswerHead
  readonly #key = randomBytes(32)
  /** Keyed hashes of name, password and the hash in the file. */
  readonly #right = new Set<string>()
  /** Who waits for the same verdict. */
  readonly #asked = new Map<string, ((right: boolean | null) => void)[]>()
  /** Kept-alive visitors share the parsed fields of their requests. */
  readonly #passes = new WeakMap<RequestFields, Pass>()
  readonly #plain = new WeakMap<RequestFields, RequestFields>()

  constructor(
    plan: AuthPlan,
    next: Handler,
    host: FilterHost,
    exempt: ((address: string) => boolean) | null,
  ) {
    this.name = next.name
    this.#next = next
    this.#users = new Users(plan, host.complain)
    this.#pass = plan.pass
    this.#exempt = exempt
    const realm = Buffer.from(plan.realm).toString('latin1').replace(/["\\]/g, '\\$&')
    const field = `WWW-Authenticate: Basic realm="${realm}", charset="UTF-8"\r\n`
    this.#challenge = (head) => ({ ...head, fields: head.fields + field })
  }

  handle(exchange: Exchange): void {
    const { fields } = exchange
    const known = this.#passes.get(fields)
    if (known !== undefined && this.#users.hash(known.name) === known.hash) {
      return this.#next.handle(new AuthorizedExchange(exchange, known.told))
    }
    if (this.#exempt?.(exchange.peer.address) === true) {
      return this.#next.handle(new AuthorizedExchange(exchange, this.#nameless(fields)))
    }
    const credentials = parseCredentials(fieldValue(fields, 'authorization'))
    if (credentials === null) return this.#refuse(exchange)
    this.#verify(exchange, credentials)
  }

  close(): void {
    this.#verifier.close()
    this.#next.close?.()
  }

  #verify(exchange: Exchange, { name, password }: Credentials): void {
    const hash = this.#users.hash(name)
    // A name that is not there is tried as well, in vain: how long it takes shall not say which are.
    const tried = hash ?? this.#users.decoy
    const mark = createHmac('sha256', this.#key)
      .update(`${hash === undefined ? 0 : 1}\0${name}\0${tried}\0${password}`)
      .digest('base64')
    if (this.#right.has(mark)) return this.#admit(exchange, name, tried)
    let gone = false
    const settled = (right: boolean | null): void => {
      if (gone || exchange.gone) return
      exchange.onGone = null
      if (right === null) exchange.fail(BUSY)
      else if (right && hash !== undefined) this.#admit(exchange, name, hash)
      else this.#refuse(exchange)
    }
    const others = this.#asked.get(mark)
    if (others !== undefined) others.push(settled)
    else {
      const all = [settled]
      const asked = this.#verifier.ask(password, tried, (right) => {
        this.#asked.delete(mark)
        if (right === true && hash !== undefined) this.#remember(mark)
        for (const each of all) each(right)
      })
      if (!asked) return exchange.fail(BUSY)
      this.#asked.set(mark, all)
    }
    exchange.onGone = () => {
      gone = true
    }
  }

  #remember(mark: string): void {
    // The one that was right the longest time ago goes.
    if (this.#right.size >= MOST_KNOWN) this.#right.delete(this.#right.keys().next().value!)
    this.#right.add(mark)
  }

  #admit(exchange: Exchange, name: string, hash: string): void {
    const { fields } = exchange
    const told = withUser(fields, name, this.#pass)
    this.#passes.set(fields, { name, hash, told })
    goOn(this.#next, new AuthorizedExchange(exchange, told))
  }

  /** Whoever need not say who they are cannot claim it either. */
  #nameless(fields: RequestFields): RequestFields {
    let told = this.#plain.get(fields)
    if (told === undefined) {
      told = withUser(fields, null, this.#pass)
      this.#plain.set(fields, told)
    }
    return told
  }

  #refuse(exchange: Exchange): void {
    edits(exchange, this.#challenge)
    exchange.fail(UNAUTHORIZED)
  }
}

/** The request as who is behind sees it. */
class AuthorizedExchange extends ExchangeThrough {
  constructor(visitor: Exchange, told: RequestFields) {
    super(visitor, told)
  }
}

const isClaim = claimTest([])

function withUser(fields: RequestFields, name: string | null, pass: boolean): RequestFields {
  const kept = fields.names.map((each) => !isClaim(each) && (pass || each !== 'authorization'))
  const lines = fields.raw.split('\r\n')
  const raw = lines.filter((_, i) => kept[i] === true).map((line) => `${line}\r\n`)
  return {
    ...fields,
    names: fields.names.filter((_, i) => kept[i]),
    values: fields.values.filter((_, i) => kept[i]),
    raw: raw.join(''),
    encoded: null,
    ...(name === null ? {} : { user: name }),
  }
}
