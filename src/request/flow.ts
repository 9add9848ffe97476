/**
 * The whole life of a request, whatever protocol brought it:
 *
 *     begin ── a CA's visit? ── host ── route ── body bound ── filters ── handler ──▶ … the handler answers … ──▶ finished ── log
 *
 * Gateways call `begin` with a complete head and `finished` when the exchange is over.
 */
import { performance } from 'node:perf_hooks'
import type { Proofs } from '../acme/proofs.ts'
import { PorticoError } from '../errors.ts'
import type { RequestFields } from '../wire/request-fields.ts'
import type { RequestLine } from '../wire/request-line.ts'
import { clock } from './clock.ts'
import type { Counters } from './counters.ts'
import type { AnswerHead, Exchange, Peer } from './exchange.ts'
import type { HttpsOnly } from './https-only.ts'
import type { AccessLog } from './log.ts'
import { RedirectedExchange } from './redirected.ts'
import { ReroutedExchange } from './rerouted.ts'
import type { Pages, Router } from './route.ts'
import { addSlash, mergeSlashes, sendTo } from './slash.ts'
import { hostAsked } from './through.ts'
import type { Trace, Tracer } from './trace.ts'
import { Trust } from './trust.ts'

/** The flow writes down what an exchange was routed to. */
interface Routable extends Exchange {
  /** Number of the route in the Plan's order, from 1; 0: none so far. */
  route: number
  prefix: string
  captures: readonly string[] | null
  maxBody: number
  /** Tells who enforces it, where that is somebody else. */
  bound?(maxBody: number): void
}

/** An exchange as its gateway holds it. */
export interface RoutedExchange extends Routable {
  trace: Trace | null
  peer: Peer
  fields: RequestFields
  onFinished: (() => void) | null
  readonly status: number
  readonly sent: number
  readonly error: PorticoError | null
}

const EMPTY = Buffer.alloc(0)
/** More are a circle. */
const MOST_REDIRECTS = 10
const NOBODY = new Trust([])

/** RFC 9110 §9.3.7: OPTIONS for the server as a whole. */
const SERVER_OPTIONS: AnswerHead = {
  status: 204,
  reason: '',
  fields: 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n',
  has: 0,
}

export class Flow {
  readonly #router: Router
  readonly #counters: Counters
  readonly #log: AccessLog | null
  readonly #trust: Trust
  readonly #tracer: Tracer | null
  /** The second in which the last trace was shown. */
  #traced = 0
  /** What CAs come to see; null: certificates are not obtained here. */
  proofs: Proofs | null = null
  /** Null: visitors may come without TLS. */
  https: HttpsOnly | null = null

  /** `tracer`: gives requests their ids; null: they have none. */
  constructor(
    router: Router,
    counters: Counters,
    log: AccessLog | null,
    trust: Trust = NOBODY,
    tracer: Tracer | null = null,
  ) {
    this.#trust = trust
    this.#tracer = tracer
    this.#router = router
    this.#counters = counters
    this.#log = log
  }

  begin(exchange: RoutedExchange): void {
    this.#counters.began()
    if (this.#tracer !== null) this.#name(this.#tracer, exchange)
    if (exchange.fields.claims) this.#identify(exchange)
    const { tls } = exchange.peer
    if (tls !== undefined) exchange.fields = tls.describe(exchange.fields)
    if (this.proofs?.isVisit(exchange.line) === true) return this.#prove(this.proofs, exchange)
    this.#handle(exchange)
  }

  /**
   * Answers `exchange` as a GET for `target`, a path with its query. For handlers that have been given
   * the exchange and have not answered it.
   */
  redirect(exchange: Exchange, target: string): void {
    let redirected: RedirectedExchange
    try {
      redirected = new RedirectedExchange(exchange, target)
    } catch (cause) {
      return exchange.fail(new PorticoError('BACKEND_LIED', 'a bad Location', { cause }))
    }
    if (redirected.count > MOST_REDIRECTS) {
      return exchange.fail(new PorticoError('REQUEST_LOOP', `Location: ${target}`))
    }
    this.#handle(redirected)
  }

  /** Has whichever route answers `line` answer an exchange that nobody has answered, body and all. */
  reroute(exchange: Exchange, line: RequestLine): void {
    const rerouted = new ReroutedExchange(exchange, line)
    if (rerouted.count > MOST_REDIRECTS) {
      return exchange.fail(new PorticoError('REQUEST_LOOP', `rewritten to ${line.origin}`))
    }
    this.#handle(rerouted)
  }

  /** What is nobody's proof is a request like any other. */
  #prove(proofs: Proofs, exchange: RoutedExchange): void {
    if (!proofs.takes(exchange, () => this.#handle(exchange))) this.#handle(exchange)
  }

  #handle(exchange: Routable): void {
    try {
      this.#route(exchange)
    } catch (error) {
      exchange.fail(
        error instanceof PorticoError ? error : new PorticoError('INTERNAL', '', { cause: error }),
      )
    }
  }

  /** Before the visitor is told apart from its proxies: it is these that may name a request. */
  #name(tracer: Tracer, exchange: RoutedExchange): void {
    const { fields, peer } = exchange
    const trusted = fields.traced && this.#trust.trusts(peer.address)
    exchange.trace = tracer.trace(fields, trusted)
    exchange.fields = tracer.withoutTrace(fields, trusted)
  }

  /** The fields say who the visitor is: that is believed, or forgotten. */
  #identify(exchange: RoutedExchange): void {
    const { peer, fields } = this.#trust.visitor(exchange.peer, exchange.fields)
    exchange.peer = peer
    exchange.fields = fields
  }

  #route(exchange: Routable): void {
    const { line, fields } = exchange
    if (line.path === '*') return exchange.respond(SERVER_OPTIONS, EMPTY)
    const name = hostAsked(exchange)
    const { tls } = exchange.peer
    if (tls?.asks === true) {
      const objection = tls.objection(name)
      if (objection !== null) return exchange.fail(objection)
    }
    const host = this.#router.host(name)
    if (host === null) return failWith(exchange, this.#router.pages, 'NO_HOST')
    const match = host.find(line.path)
    if (this.https?.takes(exchange, match?.route.plainly === true) === true) return
    if (host.lacksSlash(line.path)) return addSlash(exchange)
    if (line.path.includes('//')) {
      // Who spells `/private/` as `//private/` must not find it by another route, such as that of all files.
      const merged = mergeSlashes(line.path)
      if (host.find(merged)?.route !== match?.route) return sendTo(exchange, merged)
    }
    if (match === null) return failWith(exchange, host.pages, 'NOT_FOUND')
    const { route } = match
    if (exchange.route === 0) this.#counters.routed(route.number)
    exchange.route = route.number
    exchange.prefix = route.prefix
    exchange.captures = match.captures
    exchange.maxBody = route.maxBody
    exchange.bound?.(route.maxBody)
    if (fields.contentLength > route.maxBody) {
      return exchange.fail(new PorticoError('TOO_LARGE_BODY', `over ${route.maxBody} bytes`))
    }
    route.handler.handle(exchange)
  }

  finished(exchange: RoutedExchange): void {
    const { status, error, onFinished } = exchange
    if (onFinished !== null) {
      exchange.onFinished = null
      onFinished()
    }
    const ms = performance.now() - exchange.began
    this.#counters.finished(status)
    const failed = status >= 500 || (error !== null && error.status >= 500)
    this.#counters.served(exchange.route, ms, exchange.sent, failed, status === 101)
    if (error?.code === 'INTERNAL') this.#trace(exchange, error)
    this.#log?.exchange(exchange, ms)
  }

  /** A fault of ours is for stderr with its trace; one a second, or visitors could fill a disk. */
  #trace(exchange: RoutedExchange, error: PorticoError): void {
    if (this.#traced === clock.second) return
    this.#traced = clock.second
    const cause = error.cause instanceof Error ? error.cause : error
    console.error(
      `${exchange.line.method} ${exchange.line.origin}${exchange.trace === null ? '' : ` (request ${exchange.trace.id})`}: ${cause.stack ?? cause.message}`,
    )
  }

  /** What came was no request: `line` is as much of its first line as was understood. */
  refused(error: PorticoError, line: string, peer: Peer, sent: number): void {
    this.#counters.began()
    this.#counters.finished(error.status)
    this.#log?.refused(error, line, peer, sent)
  }
}

/** Nobody takes it; `pages`: of the site's own, null for none. */
function failWith(exchange: Exchange, pages: Pages | null, code: 'NO_HOST' | 'NOT_FOUND'): void {
  if (pages !== null) exchange.pages = pages
  exchange.fail(new PorticoError(code))
}
