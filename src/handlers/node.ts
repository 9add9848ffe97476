/**
 * Answers with a Node application. Its first worker tells how it takes requests: over the link, as a
 * fetch handler, or over HTTP. Until then, and while there is no worker, visitors wait here, unread.
 */
import { HttpWorkers } from '../balance/http-workers.ts'
import { PorticoError } from '../errors.ts'
import { clock, TICK_MS } from '../request/clock.ts'
import type { Exchange, Handler } from '../request/exchange.ts'
import type { AppState } from '../server/protocol.ts'
import type { NodeAppPlan } from '../site/plan.ts'
import type { AppCounts, Dispatch, DispatchHost } from '../transports/worker-link/dispatch.ts'
import type { Hello, LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'
import { Queue } from '../transports/worker-link/queue.ts'
import { app } from './app.ts'

interface Waiting {
  readonly exchange: Exchange
  /** On the coarse clock. */
  readonly since: number
  dropped: boolean
}

/** An application in one server thread; it may have several routes. */
export class NodeApp {
  readonly #http: HttpWorkers
  readonly #own: AppCounts = { requests: 0, errors: 0 }
  readonly #plan: NodeAppPlan
  readonly #dispatch: Dispatch
  readonly #framed: Handler
  readonly #dev: boolean
  readonly #queue = new Queue<Waiting>()
  #way: 'unknown' | 'link' | 'http' = 'unknown'
  #status: AppState = { state: 'starting' }

  constructor(plan: NodeAppPlan, dispatch: Dispatch, spool: string, host: DispatchHost) {
    this.#plan = plan
    this.#dispatch = dispatch
    this.#framed = app(dispatch, spool)
    this.#dev = host.dev
    this.#http = new HttpWorkers(plan, {
      stuck: (report) => host.stuck(report),
      again: (exchange) => this.#wait(exchange),
    })
  }

  get counts(): AppCounts {
    const all = [this.#own, this.#http.counts, this.#dispatch.counts]
    return {
      requests: all.reduce((sum, { requests }) => sum + requests, 0),
      errors: all.reduce((sum, { errors }) => sum + errors, 0),
    }
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

  handle(exchange: Exchange): void {
    if (this.#way === 'link') return this.#framed.handle(exchange)
    // It would show the visitor what we add for the worker only (RFC 9110 §9.3.8).
    if (exchange.line.method === 'TRACE') {
      return exchange.fail(new PorticoError('METHOD_NOT_ALLOWED', 'TRACE'))
    }
    if (this.#queue.size === 0 && this.#http.serve(exchange)) return
    this.#wait(exchange)
  }

  #wait(exchange: Exchange): void {
    if (exchange.gone) return
    if (this.#status.state === 'broken') return this.#fail(exchange, this.#broken)
    if (this.#queue.size >= this.#plan.queue) {
      return this.#fail(exchange, new PorticoError('QUEUE_FULL'))
    }
    const waiting: Waiting = { exchange, since: clock.now, dropped: false }
    exchange.onGone = () => {
      waiting.dropped = true
    }
    this.#queue.push(waiting)
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
      for (const { exchange, dropped } of this.#queue.drain()) {
        if (dropped) continue
        exchange.onGone = null
        this.handle(exchange)
      }
    })
    return owner
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
    this.#dispatch.check(now)
    this.#http.check(now)
    if (this.#plan.deadlineMs === 0) return
    const limit = this.#plan.deadlineMs + TICK_MS
    for (let next = this.#queue.peek(); next !== null; next = this.#queue.peek()) {
      if (!next.dropped && now - next.since < limit) return
      this.#queue.shift()
      if (next.dropped) continue
      this.#fail(next.exchange, new PorticoError('APP_STARTING', 'no worker was free in time'))
    }
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
    const detail = this.#status.state === 'broken' && this.#dev ? this.#status.detail : ''
    return new PorticoError('APP_BROKEN', detail)
  }

  #fail(exchange: Exchange, error: PorticoError): void {
    this.#own.requests++
    this.#own.errors++
    exchange.onGone = null
    exchange.fail(error)
  }
}

export function nodeHandler(app: NodeApp): Handler {
  return { name: 'node', handle: (exchange) => app.handle(exchange) }
}
