/**
 * Answers with a Node application. Its first worker tells how it takes requests: over the link, as a
 * fetch handler, or over HTTP. Until then, and while there is no worker, visitors wait here, unread.
 */
import { HttpWorkers } from '../balance/http-workers.ts'
import { PorticoError } from '../errors.ts'
import type { AppCounts } from '../request/app-counts.ts'
import { type AppRoute, MOST_URGENT, usualDeadlines } from '../request/app-route.ts'
import { clock, TICK_MS } from '../request/clock.ts'
import type { Exchange, Handler } from '../request/exchange.ts'
import { gathered } from '../request/gathered.ts'
import type { AppState } from '../server/protocol.ts'
import type { DeadlinesPlan, NodeAppPlan } from '../site/plan.ts'
import type { Dispatch, DispatchHost } from '../transports/worker-link/dispatch.ts'
import { Line } from '../transports/worker-link/line.ts'
import type { Hello, LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'
import { app } from './app.ts'

/**
 * Bodies up to this size are gathered for workers that speak HTTP: such a request can be given to the
 * next worker when the one that was to have it has died before it read it.
 */
const SMALL_BODY = 8_192

/** A route to the application. */
export interface NodeRoute {
  readonly deadlines: DeadlinesPlan
  readonly urgent: boolean
  /** For workers that take requests over the link. */
  readonly framed: Handler
}

interface Waiting {
  readonly exchange: Exchange
  /** On the coarse clock. */
  readonly since: number
  /** On `performance.now()`. */
  readonly queued: number
  readonly route: NodeRoute
  dropped: boolean
}

/** An application in one server thread; it may have several routes. */
export class NodeApp {
  readonly #http: HttpWorkers<NodeRoute>
  readonly #plan: NodeAppPlan
  readonly #dispatch: Dispatch
  readonly #spool: string
  readonly #host: DispatchHost
  readonly #queue = new Line<Waiting>()
  #way: 'unknown' | 'link' | 'http' = 'unknown'
  #status: AppState = { state: 'starting' }

  constructor(plan: NodeAppPlan, dispatch: Dispatch, spool: string, host: DispatchHost) {
    this.#plan = plan
    this.#dispatch = dispatch
    this.#spool = spool
    this.#host = host
    this.#http = new HttpWorkers(
      plan,
      {
        stuck: (report) => host.stuck(report),
        slow: (report) => host.slow(report),
        again: (exchange, route) => this.#wait(exchange, route),
      },
      this.counts,
    )
  }

  route({ deadlines, urgent }: AppRoute): NodeRoute {
    return {
      deadlines: deadlines ?? usualDeadlines(this.#plan),
      urgent,
      framed: app(this.#dispatch, this.#spool, { deadlines, urgent }),
    }
  }

  get counts(): AppCounts {
    return this.#dispatch.counts
  }

  get waiting(): number {
    return this.#queue.size + this.#dispatch.waiting
  }

  get busy(): number {
    return this.#http.busy + this.#dispatch.busy
  }

  get workers(): number {
    return this.#http.size + this.#dispatch.workers
  }

  handle(exchange: Exchange, route: NodeRoute): void {
    if (this.#way === 'link') return route.framed.handle(exchange)
    // It would show the visitor what we add for the worker only (RFC 9110 §9.3.8).
    if (exchange.line.method === 'TRACE') {
      return exchange.fail(new PorticoError('METHOD_NOT_ALLOWED', 'TRACE'))
    }
    const { contentLength } = exchange.fields
    if (contentLength === 0 || contentLength > SMALL_BODY) return this.#serve(exchange, route)
    gathered(exchange, this.#spool, (whole) => this.#serve(whole, route))
  }

  #serve(exchange: Exchange, route: NodeRoute): void {
    if (this.#queue.size === 0 && this.#http.serve(exchange, route)) return
    this.#wait(exchange, route)
  }

  #wait(exchange: Exchange, route: NodeRoute): void {
    if (exchange.gone) return
    if (this.#status.state === 'broken') return this.#fail(exchange, this.#broken)
    const { urgent } = this.#queue
    const full = route.urgent
      ? urgent >= MOST_URGENT
      : this.#queue.size - urgent >= this.#plan.queue
    if (full) return this.#fail(exchange, new PorticoError('QUEUE_FULL'))
    const waiting: Waiting = {
      exchange,
      since: clock.now,
      queued: performance.now(),
      route,
      dropped: false,
    }
    exchange.onGone = () => {
      waiting.dropped = true
    }
    this.#queue.push(waiting, route.urgent)
    if (this.workers === 0 && this.#plan.scale?.min === 0 && this.#queue.size === 1) {
      this.#host.wanted(this.#plan.name)
    }
  }

  setStatus(status: AppState): void {
    this.#status = status
    this.#dispatch.setStatus(status)
    if (status.state !== 'broken') return
    for (const { exchange, dropped } of this.#queue.drain()) {
      if (!dropped) this.#fail(exchange, this.#broken)
    }
  }

  /** A worker has come. */
  hello(link: WorkerLink, hello: Hello): LinkOwner {
    const http = hello.http !== ''
    this.#way = http ? 'http' : 'link'
    const owner = http ? this.#http.hello(link, hello) : this.#dispatch.hello(link, hello)
    // When the link knows its owner.
    setImmediate(() => {
      const now = performance.now()
      for (const { exchange, queued, route, dropped } of this.#queue.drain()) {
        if (dropped) continue
        this.counts.waited(now - queued)
        exchange.onGone = null
        if (this.#way === 'link') route.framed.handle(exchange)
        else this.#serve(exchange, route)
      }
    })
    return owner
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
    this.#dispatch.check(now)
    this.#http.check(now)
    const isLate = ({ route, since }: Waiting): boolean => {
      const { queueMs } = route.deadlines
      return queueMs > 0 && now - since >= queueMs + TICK_MS
    }
    if (!this.#queue.some((one) => one.dropped || isLate(one))) return
    this.#queue.keep((one) => {
      if (!one.dropped && !isLate(one)) return true
      if (!one.dropped) {
        this.#fail(one.exchange, new PorticoError('APP_STARTING', 'no worker was there in time'))
      }
      return false
    })
  }

  /** Called at each tick of the clock, too. */
  tally(): void {
    this.#dispatch.tally()
    this.#http.tally()
  }

  eachInHand(visit: (exchange: Exchange, slot: number, pid: number) => void): void {
    this.#dispatch.eachInHand(visit)
    this.#http.eachInHand(visit)
  }

  dismiss(slot: number, pid: number): void {
    this.#dispatch.dismiss(slot, pid)
    this.#http.dismiss(slot, pid)
  }

  /** The server accepts no more. */
  drain(): void {
    this.#dispatch.drain()
  }

  /** The server ends: so do its workers. */
  close(): void {
    this.#dispatch.close()
    this.#http.close()
  }

  get #broken(): PorticoError {
    const detail = this.#status.state === 'broken' && this.#host.dev ? this.#status.detail : ''
    return new PorticoError('APP_BROKEN', detail)
  }

  #fail(exchange: Exchange, error: PorticoError): void {
    this.counts.requests++
    this.counts.errors++
    exchange.onGone = null
    exchange.fail(error)
  }
}

export function nodeHandler(app: NodeApp, plan: AppRoute): Handler {
  const route = app.route(plan)
  return { name: 'node', handle: (exchange) => app.handle(exchange, route) }
}
