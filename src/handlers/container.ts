/**
 * Answers with an application in a container, which the supervisor starts and tells the address of. Until
 * then, and while it is being replaced, visitors wait here, unread.
 */
import { createTransport, type TransportPlan } from '../balance/pool.ts'
import { PorticoError } from '../errors.ts'
import type { AppCounts } from '../request/app-counts.ts'
import { type AppRoute, MOST_URGENT, usualDeadlines } from '../request/app-route.ts'
import { clock, TICK_MS } from '../request/clock.ts'
import type { Exchange, Handler } from '../request/exchange.ts'
import { gathered } from '../request/gathered.ts'
import { type PinnedSocket, pinSocket } from '../server/pin.ts'
import type { AppState } from '../server/protocol.ts'
import type { Address, ContainerAppPlan, DeadlinesPlan } from '../site/plan.ts'
import type { Attempt, Transport } from '../transports/transport.ts'
import { Line } from '../transports/worker-link/line.ts'

/** It is of this machine. */
const CONNECT_TIMEOUT_MS = 5_000
/** After a connection was refused: its supervisor may not have told us yet that it is down. */
const AGAIN_MS = 50
/** Far off, and still a number of milliseconds. */
const NEVER_MS = 2 ** 40
const KEEP_ALIVE = 64
/** Shorter than the 5 s after which Node's servers close theirs. */
const KEEP_ALIVE_MS = 4_000

export interface ContainerRoute {
  readonly deadlines: DeadlinesPlan
  readonly urgent: boolean
}

export interface ContainerHost {
  readonly dev: boolean
  /** A line for our log. */
  complain(message: string): void
}

/** One request on its way. */
class Visit implements Attempt {
  readonly #app: ContainerApp
  readonly exchange: Exchange
  readonly route: ContainerRoute
  /** On the coarse clock. */
  readonly since: number = clock.now
  /** On `performance.now()`: in the queue, then at the container. */
  at: number = performance.now()
  dropped = false

  constructor(app: ContainerApp, exchange: Exchange, route: ContainerRoute) {
    this.#app = app
    this.exchange = exchange
    this.route = route
  }

  get responseTimeoutMs(): number {
    const { hardMs } = this.route.deadlines
    return hardMs === 0 ? NEVER_MS : hardMs
  }

  refused(): void {
    this.#app.again(this)
  }

  done(failure?: PorticoError): void {
    this.#app.served(this, failure)
  }
}

/** An application in one server thread. */
export class ContainerApp {
  readonly counts: AppCounts
  readonly #plan: ContainerAppPlan
  readonly #spool: string
  readonly #host: ContainerHost
  readonly #queue = new Line<Visit>()
  #transport: Transport | null = null
  #socket: PinnedSocket | null = null
  #status: AppState = { state: 'starting' }
  #busy = 0
  #timer: NodeJS.Timeout | null = null

  constructor(plan: ContainerAppPlan, spool: string, host: ContainerHost, counts: AppCounts) {
    this.#plan = plan
    this.#spool = spool
    this.#host = host
    this.counts = counts
  }

  get waiting(): number {
    return this.#queue.size
  }

  get busy(): number {
    return this.#busy
  }

  get workers(): number {
    return this.#transport === null ? 0 : this.#plan.workers
  }

  route({ deadlines, urgent }: AppRoute): ContainerRoute {
    return { deadlines: deadlines ?? usualDeadlines(this.#plan), urgent }
  }

  handle(exchange: Exchange, route: ContainerRoute): void {
    const visit = new Visit(this, exchange, route)
    this.counts.requests++
    if (this.#transport !== null && this.#queue.size === 0) this.#send(visit)
    else this.#wait(visit)
  }

  setStatus(status: AppState): void {
    this.#status = status
    this.#leave()
    if (status.state === 'running' && status.address !== undefined) this.#meet(status.address)
    if (status.state !== 'broken') return this.#pump()
    for (const visit of this.#queue.drain()) this.#fail(visit, this.#broken)
  }

  /** Called at each tick of the clock. */
  check(now: number): void {
    const isLate = ({ route, since }: Visit): boolean => {
      const { queueMs } = route.deadlines
      return queueMs > 0 && now - since >= queueMs + TICK_MS
    }
    if (!this.#queue.some((one) => one.dropped || isLate(one))) return
    this.#queue.keep((one) => {
      if (!one.dropped && !isLate(one)) return true
      if (!one.dropped)
        this.#fail(one, new PorticoError('APP_STARTING', 'it was not there in time'))
      return false
    })
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#leave()
  }

  // From visits.

  /** Nothing of it has reached the container, which is about to be replaced. */
  again(visit: Visit): void {
    this.#busy--
    this.#wait(visit)
    this.#timer ??= setTimeout(() => {
      this.#timer = null
      this.#pump()
    }, AGAIN_MS)
  }

  served(visit: Visit, failure?: PorticoError): void {
    this.#busy--
    if (failure !== undefined) this.counts.errors++
    this.counts.served(performance.now() - visit.at)
  }

  #meet(address: Address): void {
    const { name, protocol, port } = this.#plan
    if (address.kind === 'unix') {
      this.#socket = pinSocket(address.path, address.path.slice(0, address.path.lastIndexOf('/')))
      if (this.#socket === null) return this.#host.complain(`${name}: its socket has gone`)
    }
    const place = this.#socket === null ? address : { ...address, path: this.#socket.path }
    const server = {
      name: port === 0 ? name : `${name} (port ${port})`,
      scheme: protocol,
      address: place,
    }
    this.#transport = createTransport(server, HOW, {
      spool: this.#spool,
      log: (line) => this.#host.complain(line),
    })
  }

  #leave(): void {
    this.#transport?.close()
    this.#transport = null
    // Connections that are open stay so; nobody makes new ones.
    this.#socket?.close()
    this.#socket = null
  }

  #send(visit: Visit): void {
    const transport = this.#transport!
    const { exchange } = visit
    this.#busy++
    visit.at = performance.now()
    if (this.#plan.protocol === 'http' || !exchange.fields.chunked) {
      return transport.send(exchange, visit)
    }
    // The others must tell the length of a body before it.
    gathered(exchange, this.#spool, (whole) => transport.send(whole, visit))
  }

  #wait(visit: Visit): void {
    const { exchange, route } = visit
    if (exchange.gone) return
    if (this.#status.state === 'broken') return this.#fail(visit, this.#broken)
    const { urgent } = this.#queue
    const full = route.urgent
      ? urgent >= MOST_URGENT
      : this.#queue.size - urgent >= this.#plan.queue
    if (full) return this.#fail(visit, new PorticoError('QUEUE_FULL'))
    exchange.onGone = () => {
      visit.dropped = true
    }
    this.#queue.push(visit, route.urgent)
  }

  #pump(): void {
    if (this.#transport === null) return
    const now = performance.now()
    for (const visit of this.#queue.drain()) {
      if (visit.dropped) continue
      this.counts.waited(now - visit.at)
      visit.exchange.onGone = null
      this.#send(visit)
    }
  }

  get #broken(): PorticoError {
    const detail = this.#status.state === 'broken' && this.#host.dev ? this.#status.detail : ''
    return new PorticoError('APP_BROKEN', detail)
  }

  #fail({ exchange }: Visit, error: PorticoError): void {
    this.counts.errors++
    exchange.onGone = null
    exchange.fail(error)
  }
}

/** How it is spoken to. */
const HOW: TransportPlan = {
  connectTimeoutMs: CONNECT_TIMEOUT_MS,
  responseTimeoutMs: NEVER_MS,
  keepAlive: KEEP_ALIVE,
  keepAliveMs: KEEP_ALIVE_MS,
  preserveHost: true,
  variables: { root: '', index: '', script: '', params: {}, modifier1: 0 },
}

export function containerHandler(app: ContainerApp, plan: AppRoute): Handler {
  const route = app.route(plan)
  return { name: 'container', handle: (exchange) => app.handle(exchange, route) }
}
