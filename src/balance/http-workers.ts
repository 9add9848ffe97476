/**
 * An application's workers that speak HTTP on sockets of their own, as one server thread sees them:
 * they come and go with their links. Which one is asked: the one with the least in hand from this thread.
 */
import type { PorticoError } from '../errors.ts'
import type { Exchange } from '../request/exchange.ts'
import type { NodeAppPlan } from '../site/plan.ts'
import { http1 } from '../transports/http1.ts'
import type { Attempt, Transport } from '../transports/transport.ts'
import type { Stuck } from '../transports/worker-link/dispatch.ts'
import type { Hello, LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'

/** Its sockets are of this machine. */
const CONNECT_TIMEOUT_MS = 5_000
/** Far off, and still a number of milliseconds. */
const NEVER_MS = 2 ** 40
/** A worker that is asked whether it lives answers in this time, or is stuck, ms. */
const GRACE_MS = 2_000

interface HttpWorker {
  readonly link: WorkerLink
  readonly transport: Transport
  active: number
  /** The request that ran into its deadline last. */
  overdue: string
}

export interface HttpWorkersHost {
  /** A worker exceeded its deadline and does not answer any more. */
  stuck(report: Stuck): void
  /** No worker could be reached: the exchange, of which nothing was sent, is to wait for the next one. */
  again(exchange: Exchange): void
}

/** One exchange on its way through the workers. */
class Walk implements Attempt {
  readonly #owner: HttpWorkers
  readonly exchange: Exchange
  worker: HttpWorker
  /** Those that refused it. */
  refusals: HttpWorker[] | null = null

  constructor(owner: HttpWorkers, exchange: Exchange, worker: HttpWorker) {
    this.#owner = owner
    this.exchange = exchange
    this.worker = worker
  }

  refused(): void {
    this.#owner.refused(this)
  }

  done(failure?: PorticoError): void {
    this.#owner.done(this, failure)
  }
}

export class HttpWorkers implements LinkOwner {
  readonly counts: { requests: number; errors: number } = { requests: 0, errors: 0 }
  readonly #plan: NodeAppPlan
  readonly #host: HttpWorkersHost
  #workers: HttpWorker[] = []

  constructor(plan: NodeAppPlan, host: HttpWorkersHost) {
    this.#plan = plan
    this.#host = host
  }

  get size(): number {
    return this.#workers.length
  }

  get busy(): number {
    return this.#workers.filter(({ active }) => active > 0).length
  }

  /** Has the least busy worker answer. False: there is none. */
  serve(exchange: Exchange): boolean {
    const worker = this.#next(null)
    if (worker === null) return false
    this.counts.requests++
    this.#send(new Walk(this, exchange, worker))
    return true
  }

  #next(refusals: readonly HttpWorker[] | null): HttpWorker | null {
    let best: HttpWorker | null = null
    for (const worker of this.#workers) {
      if (worker.link.shut || refusals?.includes(worker)) continue
      if (best === null || worker.active < best.active) best = worker
    }
    return best
  }

  #send(walk: Walk): void {
    walk.worker.active++
    walk.worker.transport.send(walk.exchange, walk)
  }

  refused(walk: Walk): void {
    walk.worker.active--
    walk.refusals ??= []
    walk.refusals.push(walk.worker)
    const next = this.#next(walk.refusals)
    if (next !== null) {
      walk.worker = next
      return this.#send(walk)
    }
    this.counts.requests--
    // It is about to be replaced.
    this.#host.again(walk.exchange)
  }

  done({ worker, exchange }: Walk, failure?: PorticoError): void {
    worker.active--
    if (failure === undefined) return
    this.counts.errors++
    if (failure.code !== 'BACKEND_SLOW') return
    worker.overdue = `${exchange.line.method} ${exchange.line.target}`
    worker.link.ping()
  }

  /** Called at each tick of the clock: workers that do not answer. */
  check(now: number): void {
    for (const { link, overdue } of this.#workers) {
      if (link.unanswered === 0 || now - link.unanswered < GRACE_MS || link.shut) continue
      link.shut = true
      const { slot, pid } = link.hello!
      const elapsedMs = Math.round(now - link.unanswered + this.#plan.deadlineMs)
      this.#host.stuck({ app: this.#plan.name, slot, pid, request: overdue, elapsedMs })
      link.destroy()
    }
  }

  /** The server ends: so do its workers. */
  close(): void {
    for (const { link } of this.#workers) link.quit()
  }

  // From links.

  hello(link: WorkerLink, { slot, pid, http }: Hello): LinkOwner {
    const { deadlineMs, name } = this.#plan
    const transport = http1(
      {
        name: `${name} worker ${slot} (${pid})`,
        scheme: 'http',
        address: { kind: 'unix', path: http },
        weight: 1,
      },
      {
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        responseTimeoutMs: deadlineMs === 0 ? NEVER_MS : deadlineMs,
        // An answer that has begun may take as long as it likes.
        bodyTimeoutMs: NEVER_MS,
        keepAlive: this.#plan.concurrency,
        keepAliveMs: NEVER_MS,
        preserveHost: true,
      },
    )
    this.#workers.push({ link, transport, active: 0, overdue: '' })
    return this
  }

  lost(link: WorkerLink): void {
    const worker = this.#workers.find((one) => one.link === link)
    this.#workers = this.#workers.filter((one) => one !== worker)
    worker?.transport.close()
  }

  served(): void {}

  settled(): void {}

  file(): void {}
}
