/**
 * Answers with a fetch handler that runs in this very thread: no worker, no hop. What blocks there
 * blocks every visitor of the thread.
 */
import { pathToFileURL } from 'node:url'
import { PorticoError } from '../errors.ts'
import { Caller } from '../fetch/call.ts'
import type { FetchExchange } from '../fetch/exchange.ts'
import { defaultExport, findFetch } from '../fetch/handler.ts'
import { installFetch } from '../fetch/install.ts'
import { loadErrorOf } from '../fetch/load-error.ts'
import { Background } from '../fetch/server.ts'
import { findWebSocket } from '../fetch/websocket.ts'
import type { AppCounts } from '../request/app-counts.ts'
import { type AppRoute, usualDeadlines } from '../request/app-route.ts'
import { TICK_MS } from '../request/clock.ts'
import type { Exchange, Handler } from '../request/exchange.ts'
import type { DeadlinesPlan, NodeAppPlan } from '../site/plan.ts'
import type { DispatchHost } from '../transports/worker-link/dispatch.ts'
import { isWhole, ThreadSockets } from './fetch/websocket.ts'

/** An application of this thread; it may have several routes. */
export class ThreadApp {
  readonly #plan: NodeAppPlan
  readonly #sockets = new ThreadSockets()
  readonly #background: Background = new Background(
    (text) => this.#log(text),
    (exchange, fields, events) =>
      isWhole(exchange) ? this.#sockets.open(exchange, fields, events) : null,
  )
  #caller: Caller | null = null
  /** Why it did not load, as its owner reads it. */
  #trouble = 'not loaded'
  readonly counts: AppCounts
  readonly #dev: boolean
  readonly #usual: DeadlinesPlan
  readonly #tellSlow: DispatchHost['slow']

  /** `slow` is told of requests past their soft deadline. */
  constructor(plan: NodeAppPlan, dev: boolean, counts: AppCounts, slow: DispatchHost['slow']) {
    this.#usual = usualDeadlines(plan)
    this.#tellSlow = slow
    this.counts = counts
    this.#plan = plan
    this.#dev = dev
  }

  /** Loads its module. Resolves with why that failed; '' when it did not. */
  async load(): Promise<string> {
    const { file, env, startTimeoutMs } = this.#plan
    Object.assign(process.env, env)
    installFetch()
    const late = new AbortController()
    try {
      this.#trouble = await Promise.race([this.#import(file), timeout(startTimeoutMs, late.signal)])
    } catch (error) {
      this.#trouble = loadErrorOf(error, file)
    }
    late.abort()
    return this.#trouble
  }

  async #import(file: string): Promise<string> {
    const exports: object = await import(pathToFileURL(file).href)
    const handler = findFetch(exports)
    if (handler === null) {
      return `${file} exports no fetch handler: \`export default { fetch(request) { … } }\``
    }
    this.#background.webSocket = findWebSocket(exports, defaultExport(exports))
    this.#caller = new Caller(handler, this.#background, (exchange, stack) => {
      this.counts.errors++
      this.#log(
        `${exchange.line.method} ${withoutQuery(exchange)}${named(exchange)}: the application failed\n${stack}`,
      )
    })
    return ''
  }

  /** Requests wait in the thread itself. */
  readonly waiting = 0
  readonly workers = 0

  get busy(): number {
    return this.#caller?.pending ?? 0
  }

  handle(exchange: Exchange, deadlines: DeadlinesPlan | null): void {
    this.counts.requests++
    if (this.#caller !== null && this.#trouble === '') return this.#caller.call(exchange, deadlines)
    this.counts.errors++
    exchange.fail(new PorticoError('APP_BROKEN', this.#dev ? this.#trouble : ''))
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
    this.#caller?.expire((one) => {
      const { softMs, hardMs } = one.deadlines ?? this.#usual
      const elapsed = now - one.since
      if (softMs > 0 && !one.slow && elapsed >= softMs + TICK_MS) {
        one.slow = true
        this.#slow(one.exchange, elapsed)
      }
      if (hardMs === 0 || elapsed < hardMs + TICK_MS) return null
      this.counts.errors++
      return new PorticoError('APP_DEADLINE', `${hardMs} ms`)
    })
  }

  /** The server accepts no more. */
  drain(): void {
    this.#sockets.retire()
  }

  /** Resolves when nothing is left that the application asked to be waited for. */
  settled(): Promise<void> {
    return this.#background.settled()
  }

  #slow(exchange: FetchExchange, elapsedMs: number): void {
    const request = `${exchange.line.method} ${exchange.line.origin}`
    const { name } = this.#plan
    const id = exchange.trace?.id
    this.#tellSlow({
      app: name,
      slot: -1,
      pid: process.pid,
      request,
      elapsedMs,
      untold: 0,
      ...(id === undefined ? {} : { id }),
    })
  }

  #log(text: string): void {
    console.error(`${this.#plan.name}: ${text}`)
  }
}

/** `app` may be shared by several routes. */
export function fetchHandler(app: ThreadApp, { deadlines }: AppRoute): Handler {
  return { name: 'fetch', handle: (exchange) => app.handle(exchange, deadlines) }
}

/** A query may be secret. */
function withoutQuery(exchange: FetchExchange): string {
  return exchange.line.origin.split('?', 1)[0]!
}

function named({ trace }: FetchExchange): string {
  return trace === null || trace === undefined ? '' : ` (request ${trace.id})`
}

function timeout(ms: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => resolve(`the import took longer than ${ms / 1000} s; raise \`start-timeout\``),
      ms,
    )
    signal.addEventListener('abort', () => clearTimeout(timer))
  })
}
