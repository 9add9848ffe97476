/**
 * The way from one server thread to the service that runs a PHP application: no more requests at a time
 * than it has workers, the others wait here in order.
 *
 *     submit ──► a place is free and the service is up ──► FastCGI ──► answer
 *                  └─ else the queue ── full: 503, too long: 503, broken: 500
 *
 * A connection that is kept open keeps its worker, so all threads together have no more of them than
 * there are workers (see seats.ts), and none is idle for long. Measured on one core, "hello" by php-fpm,
 * 16 connections, against a connection for each request: 26 instead of 60 µs of this thread.
 */
import { PorticoError } from '../../errors.ts'
import type { AppCounts } from '../../request/app-counts.ts'
import { type AppRoute, MOST_URGENT, usualDeadlines } from '../../request/app-route.ts'
import { TICK_MS } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import type { AppState } from '../../server/protocol.ts'
import type { DeadlinesPlan, PhpAppPlan } from '../../site/plan.ts'
import type { Connections } from '../../transports/backend/connections.ts'
import { fastcgi } from '../../transports/fastcgi.ts'
import type { Attempt } from '../../transports/transport.ts'
import { type Script, setVariable, variablesOf } from '../../transports/variables.ts'
import { Line } from '../../transports/worker-link/line.ts'
import { Pace } from '../../transports/worker-link/pace.ts'
import type { Seats } from './seats.ts'

/** Without a connection for so long, the service is not there. Its sockets are of this machine. */
const CONNECT_TIMEOUT_MS = 5_000
/** After a connection was refused: its supervisor may not have told us yet that it is down. */
const AGAIN_MS = 50
/**
 * How long a connection is kept without a request, ms. php-fpm counts it into the time that the next
 * request has run, so it must be short beside any deadline.
 */
const KEEP_MS = 250
/** Far off, and still a number of milliseconds. */
const NEVER_MS = 2 ** 40

interface GateReport {
  readonly app: string
  readonly slot: number
  readonly pid: number
  readonly request: string
  readonly alias: string
  readonly id?: string
  readonly elapsedMs: number
}

export interface GateHost {
  readonly dev: boolean
  /** A request exceeded its deadline. */
  stuck(report: GateReport): void
  /** A request runs longer than its soft deadline. */
  slow(report: GateReport & { readonly untold: number }): void
  /** A line for our log. */
  complain(message: string): void
}

/** One request on its way. */
class Ticket implements Attempt {
  readonly exchange: Exchange
  readonly script: Script
  readonly deadlines: DeadlinesPlan
  readonly urgent: boolean
  /** On `performance.now()`. */
  readonly since: number
  sentAt = 0
  dropped = false
  readonly #gate: Gate

  constructor(
    gate: Gate,
    exchange: Exchange,
    script: Script,
    deadlines: DeadlinesPlan,
    urgent: boolean,
  ) {
    this.#gate = gate
    this.deadlines = deadlines
    this.urgent = urgent
    this.exchange = exchange
    this.script = script
    this.since = performance.now()
  }

  get responseTimeoutMs(): number {
    const { hardMs } = this.deadlines
    return hardMs === 0 ? NEVER_MS : hardMs
  }

  refused(): void {
    this.#gate.again(this)
  }

  done(failure?: PorticoError): void {
    this.#gate.served(this, failure)
  }

  /** Its visitor leaves while it waits. */
  readonly drop = (): void => {
    this.dropped = true
  }
}

export class Gate {
  readonly counts: AppCounts
  readonly #app: PhpAppPlan
  readonly #host: GateHost
  readonly #connections: Connections
  readonly #seats: Seats
  readonly #queue = new Line<Ticket>()
  readonly #usual: DeadlinesPlan
  /** Requests that have a soft deadline before them. */
  readonly #watched = new Set<Ticket>()
  readonly #pace = new Pace()
  readonly #scripts = new WeakMap<Exchange, Script>()
  #status: AppState = { state: 'starting' }
  #busy = 0
  #timer: NodeJS.Timeout | null = null

  constructor(app: PhpAppPlan, socket: string, seats: Seats, host: GateHost, counts: AppCounts) {
    this.counts = counts
    this.#app = app
    this.#usual = usualDeadlines(app)
    this.#host = host
    this.#seats = seats
    seats.changed = () => this.#seatsChanged()
    this.#connections = fastcgi(
      { name: app.name, address: { kind: 'unix', path: socket } },
      {
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        responseTimeoutMs: app.deadlineMs === 0 ? NEVER_MS : app.deadlineMs,
        keepAlive: app.workers,
        keepAliveMs: KEEP_MS,
        counter: seats,
        log: (line) => host.complain(line),
      },
      (exchange) => describe(exchange, this.#scripts.get(exchange)!),
    )
  }

  get waiting(): number {
    return this.#queue.size
  }

  /** Requests that the service has from this thread. */
  get busy(): number {
    return this.#busy
  }

  /** Workers that can be reached. */
  get workers(): number {
    return this.#status.state === 'running' ? this.#app.workers : 0
  }

  setStatus(status: AppState): void {
    this.#status = status
    if (status.state === 'broken') {
      for (const ticket of this.#queue.drain()) this.#fail(ticket, this.#broken(status.detail))
    } else this.#pump()
  }

  submit(exchange: Exchange, script: Script, { deadlines, urgent }: AppRoute): void {
    const ticket = new Ticket(this, exchange, script, deadlines ?? this.#usual, urgent)
    this.counts.requests++
    if (this.#status.state === 'broken') {
      return this.#fail(ticket, this.#broken(this.#status.detail))
    }
    if (this.waiting === 0 && this.#isUp && this.#hasConnection) return this.#send(ticket)
    if (this.#isFull(ticket)) return this.#fail(ticket, this.#refusal('QUEUE_FULL'))
    exchange.onGone = ticket.drop
    this.#queue.push(ticket, ticket.urgent)
    this.#pump()
  }

  /** Called at each tick of the clock: those that have waited too long. */
  check(now: number): void {
    if (this.waiting > 0) this.#pump()
    this.#pace.tick(now)
    for (const ticket of this.#watched) this.#judge(ticket, now)
    const isLate = ({ deadlines, since }: Ticket): boolean =>
      deadlines.queueMs > 0 && now - since >= deadlines.queueMs + TICK_MS
    if (!this.#queue.some((ticket) => ticket.dropped || isLate(ticket))) return
    const why = this.#status.state === 'starting' ? 'APP_STARTING' : 'QUEUE_DEADLINE'
    this.#queue.keep((ticket) => {
      if (!ticket.dropped && !isLate(ticket)) return true
      if (!ticket.dropped) this.#fail(ticket, this.#refusal(why))
      return false
    })
  }

  /** Only the beginning of an answer has a deadline. */
  #judge(ticket: Ticket, now: number): void {
    const { exchange, sentAt, deadlines } = ticket
    if (now - sentAt < deadlines.softMs && !exchange.answered) return
    this.#watched.delete(ticket)
    if (exchange.answered || exchange.gone) return
    this.#host.slow({ ...this.#report(ticket), untold: 0 })
  }

  /** A request that its worker has for too long, as it is told. */
  #report({ exchange, script, sentAt }: Ticket): GateReport {
    const { line, trace } = exchange
    const { method, origin, query } = line
    const name = Buffer.from(script.name, 'latin1').toString()
    return {
      app: this.#app.name,
      ...(trace === null || trace === undefined ? {} : { id: trace.id }),
      slot: -1,
      pid: 0,
      request: `${method} ${origin}`,
      // PHP knows no other path than the script's.
      alias: `${method} ${name}${query === '' ? '' : `?${query}`}`,
      elapsedMs: performance.now() - sentAt,
    }
  }

  #isFull({ urgent }: Ticket): boolean {
    if (urgent) return this.#queue.urgent >= MOST_URGENT
    return this.waiting - this.#queue.urgent >= this.#app.queue
  }

  #refusal(code: 'QUEUE_FULL' | 'QUEUE_DEADLINE' | 'APP_STARTING'): PorticoError {
    return new PorticoError(code, '', { retryAfter: this.#pace.secondsFor(this.waiting) })
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#connections.close()
    this.#seats.close()
  }

  // From tickets.

  /** Nothing of it has reached the service. */
  again(ticket: Ticket): void {
    this.#busy--
    this.#watched.delete(ticket)
    if (ticket.exchange.gone) return
    ticket.exchange.onGone = ticket.drop
    const rest = this.#queue.drain()
    for (const next of [ticket, ...rest]) this.#queue.push(next, next.urgent)
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#pump()
    }, AGAIN_MS)
  }

  served(ticket: Ticket, failure?: PorticoError): void {
    const { sentAt } = ticket
    this.#busy--
    this.#pace.served()
    this.#watched.delete(ticket)
    this.counts.served(performance.now() - sentAt)
    if (failure !== undefined) this.counts.errors++
    if (failure?.code === 'BACKEND_SLOW') this.#host.stuck(this.#report(ticket))
    if (this.waiting > 0) this.#pump()
  }

  // Sending.

  get #isUp(): boolean {
    return this.#status.state === 'running' && this.#timer === null
  }

  #pump(): void {
    while (this.#isUp) {
      const ticket = this.#queue.peek()
      if (ticket === null) return this.#seats.wait(false)
      if (!ticket.dropped && !this.#hasConnection) {
        this.#seats.wait(true)
        // A seat that was given up before others could know that we wait wakes nobody: look once more.
        if (!this.#hasConnection) return
      }
      this.#queue.shift()
      if (ticket.dropped) continue
      this.counts.waited(performance.now() - ticket.since)
      this.#send(ticket)
    }
  }

  #seatsChanged(): void {
    if (this.waiting > 0) this.#pump()
    else if (this.#connections.idle > 0 && this.#seats.othersWait) this.#connections.dropIdle()
  }

  /** One that is open, or room for one. */
  get #hasConnection(): boolean {
    return this.#seats.free || this.#connections.idle > 0
  }

  #send(ticket: Ticket): void {
    const { exchange, script } = ticket
    const connections = this.#connections
    this.#busy++
    ticket.sentAt = performance.now()
    if (ticket.deadlines.softMs > 0) this.#watched.add(ticket)
    this.#scripts.set(exchange, script)
    if (isRepeatable(exchange)) return connections.send(exchange, ticket)
    if (!this.#seats.free) connections.dropIdle()
    connections.sendFresh(exchange, ticket)
  }

  #broken(detail: string): PorticoError {
    return new PorticoError('APP_BROKEN', this.#host.dev ? detail : '')
  }

  /** Without having been sent. */
  #fail({ exchange }: Ticket, error: PorticoError): void {
    this.counts.errors++
    exchange.onGone = null
    exchange.fail(error)
  }
}

/**
 * A worker that has had its share of requests ends, and what was on the way to it is lost: only what
 * may be repeated goes over a connection that has been used.
 */
function isRepeatable({ line }: Exchange): boolean {
  return line.method === 'GET' || line.method === 'HEAD'
}

/**
 * PHP applications look here for what their server can do: WordPress makes pretty links without
 * `/index.php/` in them only for those that it knows to have a front controller.
 */
const SOFTWARE = 'Portico (like nginx)'

/** What nginx's `fastcgi_params` tells PHP. */
function describe(exchange: Exchange, script: Script): readonly string[] {
  const list = variablesOf(exchange, script)
  setVariable(list, 'SERVER_SOFTWARE', SOFTWARE)
  // php-cgi wants to see that a web server stands before it.
  list.push('REDIRECT_STATUS', '200')
  return list
}
