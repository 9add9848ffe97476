/**
 * Hot: hands an application's requests to its workers, for one server thread.
 *
 * A request goes to an idle worker at once. When none is idle it waits in this thread's queue; only
 * then, and only if the application is fast, safe requests are put into the hands of a worker that is
 * busy with this thread's requests (see window.ts): one write then carries many, one read many answers.
 */
import { PorticoError } from '../../errors.ts'
import { AppCounts } from '../../request/app-counts.ts'
import { MOST_URGENT, usualDeadlines } from '../../request/app-route.ts'
import { discardBody } from '../../request/body.ts'
import { clock, TICK_MS } from '../../request/clock.ts'
import type { Exchange } from '../../request/exchange.ts'
import type { AppState } from '../../server/protocol.ts'
import type { AppPlan } from '../../site/plan.ts'
import type { Claims } from './claims.ts'
import { DeadlineWatch } from './deadline-watch.ts'
import type { Job } from './job.ts'
import { Line } from './line.ts'
import type { FileBody, Hello, LinkOwner, WorkerLink } from './link.ts'
import { Pace } from './pace.ts'
import { Window } from './window.ts'

/** A worker that is still there so long after it was reported as stuck is let go of, ms. */
const KILL_MS = 5_000

export interface Stuck {
  readonly app: string
  readonly slot: number
  readonly pid: number
  readonly request: string
  /** Of the request, where requests have one. */
  readonly id?: string
  readonly elapsedMs: number
}

/** A request that goes on. */
export interface Slow extends Stuck {
  /** Others of which nothing was said. */
  readonly untold: number
}

/** What the dispatcher needs from its thread. */
export interface DispatchHost {
  readonly dev: boolean
  /** A worker exceeded its deadline. */
  stuck(report: Stuck): void
  /** A request runs longer than its soft deadline. */
  slow(report: Slow): void
  /** A request waits, and there is no worker; of applications that may have none. */
  wanted(app: string): void
  /** Sends part of a file as the answer's body; calls back whether it could be opened, then when it is over. */
  sendFile(job: Job, file: FileBody, opened: (ok: boolean) => void): void
}

export class Dispatch implements LinkOwner {
  readonly #plan: AppPlan
  readonly #claims: Claims
  readonly #host: DispatchHost
  readonly #window = new Window()
  readonly #links = new Map<number, WorkerLink>()
  readonly #queue = new Line<Job>()
  readonly #deadlines: DeadlineWatch
  readonly #pace = new Pace()
  #status: AppState = { state: 'starting' }
  /** The last flush carried one request: the next one need not wait for company. */
  #alone = true
  #pumpPlanned = false
  #listening = false
  /** That a worker is wanted was said. */
  #woken = false
  /** Workers take many requests at a time. */
  #many = false
  /** The server accepts no more. */
  draining = false
  /** How workers take requests: not known before one has connected. */
  takes: 'unknown' | 'whole' | 'streams' = 'unknown'
  readonly counts: AppCounts
  /** When what is handed out now was taken from the queue, on `performance.now()`. */
  #now = 0

  constructor(
    plan: AppPlan,
    claims: Claims,
    host: DispatchHost,
    counts: AppCounts = AppCounts.alone(2 * plan.workers),
  ) {
    this.counts = counts
    this.#plan = plan
    this.#claims = claims
    this.#host = host
    this.#deadlines = new DeadlineWatch(usualDeadlines(plan), {
      slow: (link, job, elapsed, untold) => {
        host.slow({ ...this.#report(link, job, elapsed), untold })
      },
      stuck: (link, job, elapsed) => this.#stuck(link, job, elapsed),
      fail: (job, error) => this.#fail(job, error),
      takeBack: (link, jobs) => this.#takeBack(link, jobs),
    })
  }

  get waiting(): number {
    return this.#queue.size
  }

  get workers(): number {
    return this.#links.size
  }

  get busy(): number {
    let busy = 0
    for (const link of this.#links.values()) if (link.inHand > 0) busy++
    return busy
  }

  setStatus(status: AppState): void {
    this.#status = status
    this.#woken = false
    if (status.state !== 'broken') return
    for (const job of this.#queue.drain()) this.#fail(job, this.#broken(status.detail))
  }

  submit(job: Job): void {
    this.counts.requests++
    if (this.#status.state === 'broken') return this.#fail(job, this.#broken(this.#status.detail))
    if (this.waiting === 0) {
      const link = this.#claim()
      if (link !== null) {
        link.add(job)
        if (this.#many) link.flushShared()
        else if (this.#alone || this.#window.size === 1) link.flush()
        else this.#planPump()
        return
      }
    }
    if (this.#isFull(job)) return this.#fail(job, this.#refusal('QUEUE_FULL'))
    // Where no body had to be gathered it has waited since its head was complete.
    const hasBody = job.body.length > 0 || job.upload !== null
    job.queued = hasBody ? performance.now() : job.exchange.began
    this.#queue.push(job, job.urgent)
    if (this.#window.size > 1) this.#planPump()
    else if (this.waiting === 1) this.#await()
    if (this.#links.size === 0) this.#wake()
  }

  /** Says, once for all that wait, that there is no worker. */
  #wake(): void {
    if (this.#plan.scale?.min !== 0 || this.#woken) return
    this.#woken = true
    this.#host.wanted(this.#plan.name)
  }

  /** Called at each tick of the clock: deadlines of what runs and of what waits. */
  check(now: number): void {
    this.#pace.tick(now)
    this.#deadlines.check(this.#links.values(), now)
    for (const link of this.#links.values()) {
      if (link.condemned > 0 && now - link.condemned >= KILL_MS) link.destroy()
    }
    if (this.waiting > 0) this.#refuseLate(now)
  }

  /** Those that have waited too long, the oldest first; nor do those count whose visitors have left. */
  #refuseLate(now: number): void {
    const isLate = ({ deadlines, since }: Job): boolean => {
      const queueMs = deadlines === null ? this.#plan.queueDeadlineMs : deadlines.queueMs
      return queueMs > 0 && now - since >= queueMs + TICK_MS
    }
    if (!this.#queue.some((job) => job.dropped || isLate(job))) return
    const starting = this.#status.state === 'starting'
    this.#queue.keep((job) => {
      if (job.dropped) discardBody(job.body)
      else if (isLate(job)) {
        this.#fail(job, this.#refusal(starting ? 'APP_STARTING' : 'QUEUE_DEADLINE'))
      } else return true
      return false
    })
  }

  /** `queue` bounds those that wait; the urgent ones have room of their own. */
  #isFull(job: Job): boolean {
    if (job.urgent) return this.#queue.urgent >= MOST_URGENT
    return this.waiting - this.#queue.urgent >= this.#plan.queue
  }

  #refusal(code: 'QUEUE_FULL' | 'QUEUE_DEADLINE' | 'APP_STARTING'): PorticoError {
    return new PorticoError(code, '', { retryAfter: this.#pace.secondsFor(this.waiting) })
  }

  /** Notes what is in whose hands; called at each tick of the clock. */
  tally(): void {
    for (const [slot, link] of this.#links) this.counts.workerHas(slot, link.inHand)
  }

  /** Every request in a worker's hands, with the worker's place and process. */
  eachInHand(visit: (exchange: Exchange, slot: number, pid: number) => void): void {
    for (const [slot, link] of this.#links) {
      const pid = link.hello?.pid ?? 0
      link.each((job) => {
        if (job.twin === null) visit(job.exchange, slot, pid)
      })
    }
  }

  /** No request goes to that worker any more. */
  dismiss(slot: number, pid: number): void {
    const link = this.#links.get(slot)
    if (link?.hello?.pid === pid) link.quit()
  }

  /** The server accepts no more: WebSockets end, so that it need not wait for them. */
  drain(): void {
    this.draining = true
    for (const link of this.#links.values()) link.retire()
  }

  /** The server ends: so do its workers. */
  close(): void {
    for (const link of this.#links.values()) link.quit()
  }

  // From links.

  hello(link: WorkerLink, hello: Hello): LinkOwner {
    // A worker that took the place of one whose end we have not seen yet.
    this.#links.get(hello.slot)?.destroy()
    this.#links.set(hello.slot, link)
    this.#woken = false
    this.counts.workerCame(hello.slot)
    this.#many = hello.capacity > 1
    this.takes = hello.streams ? 'streams' : 'whole'
    if (this.draining) link.retire()
    this.#planPump()
    return this
  }

  served(link: WorkerLink, us: number, failed: boolean, job: Job): void {
    this.#window.served(us)
    this.#pace.served()
    // What other hands have counts there.
    const isOurs = job.twin === null
    if (failed && isOurs && !job.overdue) this.counts.errors++
    // One that the worker never had took no time; one that became a WebSocket says nothing of requests.
    if (job.upload?.sent !== false && job.webSocket === null) {
      if (isOurs) this.counts.served(us / 1000)
      this.counts.workerServed(link.hello!.slot, us / 1000, job.sent, failed && isOurs)
    }
    if (link.condemned > 0) return
    const places = link.claimed - Math.max(link.inHand, 0)
    // With a window, one claimed place carries many requests: it is given back with the last.
    if (this.#capacity(link) === 1 ? link.inHand === 0 && link.claimed > 0 : places > 0) {
      const given = this.#capacity(link) === 1 ? 1 : places
      link.claimed -= given
      this.#claims.release(link.hello!.slot, given)
    }
  }

  settled(): void {
    if (this.waiting > 0) this.#pump()
  }

  file(link: WorkerLink, job: Job, file: FileBody): void {
    const { id } = job
    this.#host.sendFile(job, file, (ok) => link.opened(id, !ok))
  }

  lost(link: WorkerLink, jobs: Job[]): void {
    const slot = link.hello?.slot ?? -1
    if (this.#links.get(slot) === link) {
      this.#links.delete(slot)
      this.counts.workerHas(slot, 0)
    }
    if (link.claimed > 0) this.#claims.free(slot, link.claimed)
    link.claimed = 0
    const again: Job[] = []
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i]!
      job.link = null
      if (job.twin !== null) continue
      // Of several at a time any may be what killed the worker: none gets to kill more than one other.
      // Else the first may be it, and those behind it were waiting.
      const innocent = this.#capacity(link) > 1 ? jobs.length > 1 : i > 0
      if (job.upload?.sent === false || link.isUnread(job)) {
        job.upload?.again()
        again.push(job)
      } else if ((innocent || link.mayBeUnread(job)) && job.repeatable) {
        job.retried = true
        again.push(job)
      } else this.#fail(job, new PorticoError('APP_DIED'))
    }
    if (again.length > 0) this.#putBack(again)
    if (this.waiting > 0 && this.#links.size === 0) this.#wake()
  }

  // Handing out.

  #capacity(link: WorkerLink): number {
    return link.hello?.capacity ?? 1
  }

  /** An idle place in the least loaded worker, claimed; null when there is none. */
  #claim(): WorkerLink | null {
    for (;;) {
      let best: WorkerLink | null = null
      let least = Number.POSITIVE_INFINITY
      for (const [slot, link] of this.#links) {
        if (link.shut) continue
        const load = this.#claims.load(slot)
        if (load >= this.#capacity(link) || load >= least) continue
        best = link
        least = load
        if (load === 0) break
      }
      if (best === null) return null
      if (this.#claims.take(best.hello!.slot, least)) {
        best.claimed++
        return best
      }
      // Another thread was faster: look again.
    }
  }

  #planPump(): void {
    if (this.#pumpPlanned) return
    this.#pumpPlanned = true
    setImmediate(() => {
      this.#pumpPlanned = false
      this.#pump()
    })
  }

  /** Gives waiting requests to idle workers, then into open windows; flushes what was gathered. */
  #pump(): void {
    if (this.waiting > 0) this.#now = performance.now()
    this.#takeHanded()
    while (this.waiting > 0) {
      const link = this.#claim()
      if (link === null) break
      this.#give(link)
    }
    if (this.waiting > 0 && this.#window.size > 1) this.#fillWindows()
    let most = 0
    for (const link of this.#links.values()) {
      most = Math.max(most, link.batch)
      link.flush()
    }
    if (most > 0) this.#alone = most === 1
    if (this.waiting > 0) this.#await()
    else this.#claims.wait(false)
    // Handed over while we changed our mind: see Claims.
    if (this.#claims.hasHanded) this.#planPump()
  }

  /** Uses the place that another thread handed to this one. */
  #takeHanded(): void {
    const slot = this.#claims.handed()
    if (slot < 0) return
    const link = this.#links.get(slot)
    if (link === undefined || link.shut) return this.#claims.free(slot, 1)
    link.claimed++
    this.#give(link)
  }

  /** Gives the next waiting request to a link with a claimed place, or the place back. */
  #give(link: WorkerLink): void {
    const job = this.#take()
    if (job !== null) return link.add(job)
    link.claimed--
    this.#claims.release(link.hello!.slot, 1)
  }

  /**
   * Puts waiting requests behind those that a worker already has from this thread. A worker that others
   * wait for is filled once a turn, or it would never be given back.
   */
  #fillWindows(): void {
    const othersWait = this.#claims.othersWait()
    const open: WorkerLink[] = []
    let load = this.waiting
    for (const link of this.#links.values()) {
      if (link.claimed === 0 || link.shut || link.slow || this.#capacity(link) !== 1) continue
      if (othersWait && link.batch === 0) continue
      // Alone it is known whether a worker that died had read it: only then may another one have it.
      if (link.last?.repeatable === false) continue
      open.push(link)
      load += link.inHand
    }
    const share = Math.min(this.#window.size, Math.ceil(load / open.length))
    for (const link of open) {
      while (this.waiting > 0 && link.inHand < share) {
        const next = this.#queue.peek()!
        if (!next.mayStandBehind && !next.dropped) return
        const job = this.#take()
        if (job === null) return
        link.add(job)
      }
    }
  }

  /** The next waiting job whose visitor is still there. */
  #take(): Job | null {
    for (let job = this.#queue.shift(); job !== null; job = this.#queue.shift()) {
      if (!job.dropped) {
        this.counts.waited(Math.max(0, this.#now - job.queued))
        return job
      }
      discardBody(job.body)
    }
    return null
  }

  /** The worker may do them as well: safe requests may be done twice. */
  #takeBack(link: WorkerLink, jobs: readonly Job[]): void {
    const twins = jobs.map((job) => {
      link.cancel(job.id)
      return job.split(clock.now)
    })
    this.#putBack(twins)
  }

  /** To the front: they have waited before. */
  #putBack(jobs: Job[]): void {
    const now = performance.now()
    for (const job of jobs) {
      job.queued = now
      job.since = clock.now
    }
    for (const job of jobs.concat(this.#queue.drain())) this.#queue.push(job, job.urgent)
    this.#planPump()
  }

  /** Has another thread's release wake this one. */
  #await(): void {
    this.#claims.wait(true)
    if (!this.#listening) this.#listen()
    // A place that was given back since we looked, but before others could know that we wait, or one
    // that was handed over before we listened, wakes nobody: look once more.
    if (this.#claims.hasHanded || this.#hasRoom()) this.#planPump()
  }

  #listen(): void {
    const woken = this.#claims.woken()
    if (woken === null) return
    this.#listening = true
    void woken.then(() => {
      this.#listening = false
      this.#pump()
    })
  }

  /** Some worker has a place that nobody has claimed. */
  #hasRoom(): boolean {
    for (const [slot, link] of this.#links) {
      if (!link.shut && this.#claims.load(slot) < this.#capacity(link)) return true
    }
    return false
  }

  #report(link: WorkerLink, job: Job, elapsed: number): Stuck {
    const { line, trace } = job.exchange
    return {
      app: this.#plan.name,
      ...(trace === null || trace === undefined ? {} : { id: trace.id }),
      slot: link.hello!.slot,
      pid: link.hello!.pid,
      request: `${line.method} ${line.target}`,
      elapsedMs: Math.round(elapsed),
    }
  }

  #stuck(link: WorkerLink, job: Job, elapsed: number): void {
    link.shut = true
    link.condemned = clock.now
    this.#window.close()
    // No other thread is to give it anything either: it is about to be killed, and the link ends then.
    link.claimed += this.#claims.block(link.hello!.slot)
    this.#host.stuck(this.#report(link, job, elapsed))
  }

  #broken(detail: string): PorticoError {
    return new PorticoError('APP_BROKEN', this.#host.dev ? detail : '')
  }

  #fail(job: Job, error: PorticoError): void {
    // One that is overdue has been counted already, and its worker ended or was replaced since.
    if (!job.overdue) this.counts.errors++
    job.fail(error)
    discardBody(job.body)
  }
}
