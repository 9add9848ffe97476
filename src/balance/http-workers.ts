/**
 * An application's workers that speak HTTP on sockets of their own, as one server thread sees them:
 * they come and go with their links. Which one is asked: the one with the least in hand from this thread.
 */
import type { PorticoError } from '../errors.ts'
import type { AppCounts } from '../request/app-counts.ts'
import type { Exchange } from '../request/exchange.ts'
import type { DeadlinesPlan, NodeAppPlan } from '../site/plan.ts'
import { http1 } from '../transports/http1.ts'
import type { Attempt, Transport } from '../transports/transport.ts'
import type { Slow, Stuck } from '../transports/worker-link/dispatch.ts'
import type { Hello, LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'

/** Its sockets are of this machine. */
const CONNECT_TIMEOUT_MS = 5_000
/** Far off, and still a number of milliseconds. */
const NEVER_MS = 2 ** 40
/** A worker that is asked whether it lives answers in this time, or is stuck, ms. */
const GRACE_MS = 2_000

/** A request that a worker has. */
interface InHand {
  readonly exchange: Exchange
  /** Among those of its worker. */
  place: number
}

interface HttpWorker {
  readonly link: WorkerLink
  readonly transport: Transport
  /** In its hands, in no order. */
  readonly walks: InHand[]
  /** The request that ran into its deadline last, and how long that was, ms. */
  overdue: string
  overdueId: string
  overdueMs: number
}

/** What is known of the route that an exchange came by. */
interface WorkersRoute {
  readonly deadlines: DeadlinesPlan
}

export interface HttpWorkersHost<Route> {
  /** A worker exceeded its deadline and does not answer any more. */
  stuck(report: Stuck): void
  /** A request runs longer than its soft deadline. */
  slow(report: Slow): void
  /** No worker could be reached: the exchange, of which nothing was sent, is to wait for the next one. */
  again(exchange: Exchange, route: Route): void
}

/** One exchange on its way through the workers. */
class Walk<Route extends WorkersRoute> implements Attempt, InHand {
  readonly #owner: HttpWorkers<Route>
  readonly exchange: Exchange
  worker: HttpWorker
  place = 0
  /** On `performance.now()`. */
  sentAt = 0
  /** Those that refused it. */
  refusals: HttpWorker[] | null = null
  readonly route: Route

  constructor(owner: HttpWorkers<Route>, exchange: Exchange, worker: HttpWorker, route: Route) {
    this.#owner = owner
    this.exchange = exchange
    this.worker = worker
    this.route = route
  }

  get responseTimeoutMs(): number {
    const { hardMs } = this.route.deadlines
    return hardMs === 0 ? NEVER_MS : hardMs
  }

  refused(): void {
    this.#owner.refused(this)
  }

  done(failure?: PorticoError): void {
    this.#owner.done(this, failure)
  }
}

export class HttpWorkers<Route extends WorkersRoute> implements LinkOwner {
  readonly #counts: AppCounts
  readonly #plan: NodeAppPlan
  readonly #host: HttpWorkersHost<Route>
  #workers: HttpWorker[] = []
  /** Requests that have a soft deadline before them. */
  readonly #watched = new Set<Walk<Route>>()

  constructor(plan: NodeAppPlan, host: HttpWorkersHost<Route>, counts: AppCounts) {
    this.#counts = counts
    this.#plan = plan
    this.#host = host
  }

  get size(): number {
    return this.#workers.length
  }

  get busy(): number {
    return this.#workers.filter(({ walks }) => walks.length > 0).length
  }

  /** Has the least busy worker answer. False: there is none. */
  serve(exchange: Exchange, route: Route): boolean {
    const worker = this.#next(null)
    if (worker === null) return false
    this.#counts.requests++
    this.#send(new Walk(this, exchange, worker, route))
    return true
  }

  #next(refusals: readonly HttpWorker[] | null): HttpWorker | null {
    let best: HttpWorker | null = null
    for (const worker of this.#workers) {
      if (worker.link.shut || refusals?.includes(worker)) continue
      if (best === null || worker.walks.length < best.walks.length) best = worker
    }
    return best
  }

  #send(walk: Walk<Route>): void {
    walk.place = walk.worker.walks.push(walk) - 1
    walk.sentAt = performance.now()
    if (walk.route.deadlines.softMs > 0) this.#watched.add(walk)
    walk.worker.transport.send(walk.exchange, walk)
  }

  /** It is not in its worker's hands any more. */
  #leave({ worker: { walks }, place }: Walk<Route>): void {
    const last = walks.pop()!
    if (last.place === place) return
    walks[place] = last
    last.place = place
  }

  refused(walk: Walk<Route>): void {
    this.#leave(walk)
    this.#watched.delete(walk)
    walk.refusals ??= []
    walk.refusals.push(walk.worker)
    const next = this.#next(walk.refusals)
    if (next !== null) {
      walk.worker = next
      return this.#send(walk)
    }
    this.#counts.requests--
    // It is about to be replaced.
    this.#host.again(walk.exchange, walk.route)
  }

  done(walk: Walk<Route>, failure?: PorticoError): void {
    const { worker, exchange, sentAt } = walk
    this.#leave(walk)
    this.#watched.delete(walk)
    const ms = performance.now() - sentAt
    this.#counts.served(ms)
    this.#counts.workerServed(worker.link.hello!.slot, ms, 0, failure !== undefined)
    if (failure === undefined) return
    this.#counts.errors++
    if (failure.code !== 'BACKEND_SLOW') return
    worker.overdue = `${exchange.line.method} ${exchange.line.target}`
    worker.overdueId = exchange.trace?.id ?? ''
    worker.overdueMs = walk.route.deadlines.hardMs
    worker.link.ping()
  }

  /** Called at each tick of the clock: workers that do not answer. */
  check(now: number): void {
    for (const walk of this.#watched) this.#judge(walk, now)
    for (const { link, overdue, overdueId, overdueMs } of this.#workers) {
      if (link.unanswered === 0 || now - link.unanswered < GRACE_MS || link.shut) continue
      link.shut = true
      const { slot, pid } = link.hello!
      const elapsedMs = Math.round(now - link.unanswered + overdueMs)
      this.#host.stuck({
        app: this.#plan.name,
        slot,
        pid,
        request: overdue,
        id: overdueId,
        elapsedMs,
      })
      link.destroy()
    }
  }

  /** Only the beginning of an answer has a deadline. */
  #judge(walk: Walk<Route>, now: number): void {
    const { exchange, worker, sentAt, route } = walk
    if (now - sentAt < route.deadlines.softMs && !exchange.answered) return
    this.#watched.delete(walk)
    if (exchange.answered || exchange.gone) return
    const { slot, pid } = worker.link.hello!
    const request = `${exchange.line.method} ${exchange.line.target}`
    const elapsedMs = Math.round(now - sentAt)
    const id = exchange.trace?.id ?? ''
    this.#host.slow({ app: this.#plan.name, slot, pid, request, id, elapsedMs, untold: 0 })
  }

  /** Notes what is in whose hands; called at each tick of the clock. */
  tally(): void {
    for (const { link, walks } of this.#workers) {
      this.#counts.workerHas(link.hello!.slot, walks.length)
    }
  }

  eachInHand(visit: (exchange: Exchange, slot: number, pid: number) => void): void {
    for (const { link, walks } of this.#workers) {
      const { slot, pid } = link.hello!
      for (const { exchange } of walks) visit(exchange, slot, pid)
    }
  }

  /** No request goes to that worker any more. */
  dismiss(slot: number, pid: number): void {
    for (const { link } of this.#workers) {
      if (link.hello?.slot === slot && link.hello.pid === pid) link.quit()
    }
  }

  /** The server ends: so do its workers. */
  close(): void {
    for (const { link } of this.#workers) link.quit()
  }

  // From links.

  hello(link: WorkerLink, { slot, pid, http }: Hello): LinkOwner {
    this.#counts.workerCame(slot)
    const { deadlineMs, name } = this.#plan
    const transport = http1(
      {
        name: `${name} worker ${slot} (${pid})`,
        address: { kind: 'unix', path: http },
      },
      {
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        responseTimeoutMs: deadlineMs === 0 ? NEVER_MS : deadlineMs,
        // An answer that has begun may take as long as it likes.
        bodyTimeoutMs: NEVER_MS,
        keepAlive: this.#plan.concurrency,
        keepAliveMs: NEVER_MS,
        preserveHost: true,
        readsWhole: true,
      },
    )
    this.#workers.push({ link, transport, walks: [], overdue: '', overdueId: '', overdueMs: 0 })
    return this
  }

  lost(link: WorkerLink): void {
    const worker = this.#workers.find((one) => one.link === link)
    this.#workers = this.#workers.filter((one) => one !== worker)
    if (worker !== undefined) this.#counts.workerHas(link.hello!.slot, 0)
    worker?.transport.close()
  }

  served(): void {}

  settled(): void {}

  file(): void {}
}
