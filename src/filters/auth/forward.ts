/**
 * Asks another server about each request (nginx's auth_request, Traefik's and Caddy's forward auth). 2xx lets
 * it in, with fields of that answer in the place of the visitor's own; redirects and 4xx are the visitor's
 * answer; everything else, and silence, is 503: nobody comes in because nobody could be asked.
 */
import type { Duplex } from 'node:stream'
import { PorticoError } from '../../errors.ts'
import type { AnswerHead, BodySink, Exchange, Handler, Peer } from '../../request/exchange.ts'
import { ExchangeThrough } from '../../request/through.ts'
import type { Trace } from '../../request/trace.ts'
import type { ForwardAuthPlan } from '../../site/filters-plan.ts'
import { type FieldList, fieldValue, parseFields } from '../../wire/fields.ts'
import { speaksOfTheVisitor } from '../../wire/forwarded.ts'
import type { RequestFields } from '../../wire/request-fields.ts'
import { parseRequestLine, type RequestLine } from '../../wire/request-line.ts'
import { editFields, type Field } from '../edit-fields.ts'
import { edits } from '../edits.ts'
import type { FilterHost } from '../filter.ts'
import { goOn } from '../go-on.ts'
import { expand, parseTarget, type RuleTarget } from '../rewrite/target.ts'
import { claimTest } from './claims-of.ts'

const MOST_FIELDS = 200
/** Of the body of an answer that lets in, which nobody wants, this much is read, bytes. */
const MOST_DROPPED = 65_536

/** `exempt`: by address, who need not say who they are. */
export function forwardAuth(
  plan: ForwardAuthPlan,
  next: Handler,
  host: FilterHost,
  exempt: ((address: string) => boolean) | null = null,
): Handler {
  const path = { ...parseTarget(plan.path), keepsQuery: false }
  const claims = claimTest(plan.copy)
  return {
    name: next.name,
    handle(visitor) {
      const exchange = resolved(visitor)
      if (exempt?.(exchange.peer.address) === true) {
        const plain = editFields(exchange.fields, claims, [])
        return next.handle(new ExchangeThrough(exchange, plain))
      }
      new Question(exchange, plan, questionLine(path, exchange), claims, next).ask(host)
    },
    close: () => next.close?.(),
  }
}

/**
 * `/open/../admin` is one path to who asks and another to who answers, if one of them resolves the dots and
 * the other does not: then both are told where they lead.
 */
function resolved(exchange: Exchange): Exchange {
  const { line, fields } = exchange
  if (line.target === line.origin) return exchange
  return new ExchangeThrough(exchange, fields, { ...line, target: line.origin })
}

/** What a visitor chose is encoded where it stands: it adds no question of its own. */
function questionLine(path: RuleTarget, exchange: Exchange): RequestLine {
  return parseRequestLine(
    `GET ${expand(path, exchange, ['', ...(exchange.captures ?? [])])} HTTP/1.1`,
  )
}

/** Of a body, of what the visitor has of the answer already, and of the connection: none of these are asked about. */
const NOT_ASKED =
  /^(?:content-.*|if-.*|range|transfer-encoding|expect|trailer|te|upgrade|connection|host)$/

/** What the other server is asked, as a request of its own. It has no body; who asks is the visitor. */
class Question implements Exchange {
  readonly line: RequestLine
  readonly fields: RequestFields
  readonly peer: Peer
  readonly trace: Trace | null
  readonly began: number
  readonly prefix = '/'
  readonly captures = null
  readonly maxBody = 0
  onGone: (() => void) | null = null
  readonly #visitor: Exchange
  readonly #plan: ForwardAuthPlan
  readonly #claims: (name: string) => boolean
  readonly #next: Handler
  #timer: NodeJS.Timeout | undefined
  /** It is answered: nothing more is asked of the visitor's fate. */
  #settled = false
  #passing = false
  #answered = false
  #gone = false
  #dropped = 0

  constructor(
    visitor: Exchange,
    plan: ForwardAuthPlan,
    line: RequestLine,
    claims: (name: string) => boolean,
    next: Handler,
  ) {
    this.#visitor = visitor
    this.#plan = plan
    this.#claims = claims
    this.#next = next
    this.line = line
    this.peer = visitor.peer
    this.trace = visitor.trace ?? null
    this.began = visitor.began
    this.fields = questionFields(visitor, plan.send)
  }

  ask({ serve }: FilterHost): void {
    this.#timer = setTimeout(() => this.#expire(), this.#plan.timeoutMs)
    this.#visitor.onGone = () => this.#leave()
    serve(this.#plan.pool, this)
  }

  get answered(): boolean {
    return this.#answered
  }

  get gone(): boolean {
    return this.#gone
  }

  get onDrain(): (() => void) | null {
    return this.#passing ? this.#visitor.onDrain : null
  }

  set onDrain(call: (() => void) | null) {
    if (this.#passing) this.#visitor.onDrain = call
  }

  receive(sink: BodySink): void {
    sink.end('')
  }

  resume(): void {}

  inform(): void {}

  respond(head: AnswerHead, body: Uint8Array, length?: number): void {
    if (this.#answered || this.#gone) return
    this.#answered = true
    if (this.#settle(head)) this.#visitor.respond(head, body, length)
  }

  start(head: AnswerHead, length: number): void {
    if (this.#answered || this.#gone) return
    this.#answered = true
    if (!this.#settle(head)) return
    this.#passing = true
    this.#visitor.onGone = () => this.#leave()
    this.#visitor.start(head, length)
  }

  write(chunk: Uint8Array, owned: boolean): boolean {
    if (this.#passing) return this.#visitor.write(chunk, owned)
    this.#dropped += chunk.length
    if (this.#dropped > MOST_DROPPED) this.#leave()
    return true
  }

  end(trailers?: string): void {
    if (this.#passing) this.#visitor.end(trailers)
  }

  fail(cause: PorticoError): void {
    if (this.#passing) return this.#visitor.fail(cause)
    if (this.#settled) return
    this.#close()
    this.#visitor.fail(new PorticoError('AUTH_FAILED', cause.message, { cause }))
  }

  upgrade(): Duplex {
    throw new PorticoError('INTERNAL', 'nobody asked for another protocol')
  }

  /** True: the answer is the visitor's. */
  #settle(head: AnswerHead): boolean {
    const { status } = head
    this.#close()
    if (this.#visitor.gone) return false
    if (status >= 300 && status < 500) return true
    if (status >= 200 && status < 300) this.#admit(head)
    else this.#visitor.fail(new PorticoError('AUTH_FAILED', `it answered with status ${status}`))
    return false
  }

  #admit(head: AnswerHead): void {
    const { copy, user, answer } = this.#plan
    let told: FieldList
    try {
      told = parseFields(head.fields, MOST_FIELDS)
    } catch (cause) {
      return this.#visitor.fail(new PorticoError('AUTH_FAILED', 'a malformed answer', { cause }))
    }
    const more: Field[] = []
    for (const name of copy) {
      const value = fieldValue(told, name.toLowerCase())
      if (value !== undefined) more.push([name, value])
    }
    const who = user === '' ? undefined : fieldValue(told, user)
    const fields: RequestFields = {
      ...editFields(this.#visitor.fields, this.#claims, more),
      ...(who === undefined || who === '' ? {} : { user: who, authType: 'Forward' }),
    }
    let block = ''
    for (let i = 0; i < told.names.length; i++) {
      const name = told.names[i]!
      if (answer.includes(name)) block += `${name}: ${told.values[i]!}\r\n`
    }
    if (block !== '') {
      edits(this.#visitor, ({ fixed: _, ...rest }) => ({ ...rest, fields: rest.fields + block }))
    }
    goOn(this.#next, new ExchangeThrough(this.#visitor, fields))
  }

  #close(): void {
    this.#settled = true
    clearTimeout(this.#timer)
    this.#visitor.onGone = null
  }

  #expire(): void {
    this.#close()
    this.#leave()
    this.#visitor.fail(new PorticoError('AUTH_FAILED', `no answer in ${this.#plan.timeoutMs} ms`))
  }

  /** Nobody wants the answer any more. */
  #leave(): void {
    clearTimeout(this.#timer)
    this.#settled = true
    this.#gone = true
    const call = this.onGone
    this.onGone = null
    call?.()
  }
}

/** The visitor's fields, and in ours what it asks for: `send` names those that are wanted. */
function questionFields(
  { fields, line, peer }: Exchange,
  send: readonly string[] | null,
): RequestFields {
  const named = fieldValue(fields, 'host') ?? ''
  const asked =
    line.host === '' ? named : line.host + (line.hostPort < 0 ? '' : `:${line.hostPort}`)
  // What a trusted proxy says of the visitor goes on; what the visitor says of itself was taken out before.
  const told = peer.proxy === undefined ? '' : fieldValue(fields, 'x-forwarded-host')
  const host = told || asked
  const plain = editFields(
    fields,
    (name) =>
      NOT_ASKED.test(name) ||
      name === 'x-forwarded-host' ||
      // Via is what a circle shows by.
      (send !== null && !send.includes(name) && name !== 'via' && !speaksOfTheVisitor(name)),
    [],
  )
  const own = [
    `X-Forwarded-Method: ${line.method}`,
    `X-Forwarded-Uri: ${line.origin}`,
    ...(host === '' ? [] : [`X-Forwarded-Host: ${host}`]),
    `X-Original-Method: ${line.method}`,
    `X-Original-URI: ${line.origin}`,
    ...(host === '' ? [] : [`X-Original-URL: ${peer.scheme}://${host}${line.origin}`]),
  ]
  return {
    ...plain,
    host: '',
    hostPort: -1,
    contentLength: 0,
    hasLength: false,
    chunked: false,
    expectContinue: false,
    upgrade: '',
    connection: [],
    own: own.map((each) => `${each}\r\n`).join(''),
  }
}
