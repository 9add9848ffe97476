/**
 * Judges at each tick of the clock how long requests have been in the hands of workers:
 *
 *     running ── soft ──▶ logged with its worker's stack, goes on ── hard ──▶ 504, the worker replaced
 *
 * What stands behind a request that runs for long is taken back, and goes to other hands. Which of those
 * in its hands a worker is at is not said: it may hold back the answer to the oldest, to send it with the
 * next one's. So when one that stood behind it runs for long in other hands, too, then that one may be what
 * the worker is at: the oldest goes to other hands as well.
 *
 * `since` of a job may be as old as the last tick was then: all comes rather late than before the time
 * that was promised.
 */
import { PorticoError } from '../../errors.ts'
import { TICK_MS } from '../../request/clock.ts'
import type { DeadlinesPlan } from '../../site/plan.ts'
import type { Job } from './job.ts'
import type { WorkerLink } from './link.ts'

/** What a worker that streams may take to let go of a request that it was told to cancel, ms. */
const GRACE_MS = 2_000
/** None waits behind one that has run for so long, ms: at least a tick. */
const LONG_MS = 2 * TICK_MS
/** Slow requests that are told of at one tick; the others are only counted. */
const MOST_TOLD = 10

export interface DeadlineActions {
  /** It runs longer than the soft deadline says; `untold` others do, of which nothing was said. */
  slow(link: WorkerLink, job: Job, elapsedMs: number, untold: number): void
  /** The worker cannot be expected to do anything more. */
  stuck(link: WorkerLink, job: Job, elapsedMs: number): void
  fail(job: Job, error: PorticoError): void
  /** Other hands are to do these. */
  takeBack(link: WorkerLink, jobs: readonly Job[]): void
}

export class DeadlineWatch {
  readonly #usual: DeadlinesPlan
  readonly #actions: DeadlineActions
  #lastCheck = 0
  #told = 0
  #untold = 0

  /** `usual`: of jobs that have none of their own. */
  constructor(usual: DeadlinesPlan, actions: DeadlineActions) {
    this.#usual = usual
    this.#actions = actions
  }

  check(links: Iterable<WorkerLink>, now: number): void {
    this.#told = 0
    for (const link of links) {
      if (link.condemned > 0 || link.inHand === 0) continue
      const { streams = false, capacity = 1 } = link.hello ?? {}
      if (streams) link.each((job) => this.#streaming(link, job, now))
      else if (capacity > 1) link.each((job) => this.#running(link, job, now))
      else this.#first(link, now)
    }
    this.#lastCheck = now
  }

  /** Of several in the hands of a worker that takes one at a time only the oldest runs. */
  #first(link: WorkerLink, now: number): void {
    const jobs = link.jobs()
    const [job] = jobs
    if (job === undefined) return
    if (link.running !== job.turn) {
      link.running = job.turn
      // While it stood behind another one its time did not count.
      job.since = Math.max(job.since, this.#lastCheck)
    }
    const isOver = this.#isOver(job, now)
    if (isOver || runsLong(job, now)) {
      link.slow = true
      this.#takeBack(link, jobs.slice(1))
    }
    const suspect = jobs.find((other) => other !== job && isOpen(other.twin))
    if (suspect !== undefined && (isOver || runsLong(suspect.twin!, now))) {
      this.#takeBack(link, [job])
    }
    if (job.twin === null || !isOver) return this.#running(link, job, now)
    this.#actions.stuck(link, suspect ?? job, now - job.since)
  }

  #takeBack(link: WorkerLink, jobs: readonly Job[]): void {
    const movable = jobs.filter((job) => job.movable)
    if (movable.length > 0) this.#actions.takeBack(link, movable)
  }

  #isOver(job: Job, now: number): boolean {
    const { hardMs } = job.deadlines ?? this.#usual
    return hardMs > 0 && now - job.since - TICK_MS >= hardMs
  }

  #running(link: WorkerLink, job: Job, now: number): void {
    if (link.condemned > 0) return
    const { softMs, hardMs } = job.deadlines ?? this.#usual
    const elapsed = now - job.since - TICK_MS
    if (softMs > 0 && elapsed >= softMs && job.twin === null) this.#slow(link, job, now)
    if (!this.#isOver(job, now)) return
    // It is counted as failed with the worker.
    job.fail(overdue(hardMs))
    this.#actions.stuck(link, job, now - job.since)
  }

  /**
   * Only the beginning of an answer has a deadline; a WebSocket has none. A worker that lets go of what
   * it is told to cancel is not stuck, however long that one took: the others in its hands go on.
   */
  #streaming(link: WorkerLink, job: Job, now: number): void {
    if (link.condemned > 0 || job.webSocket?.open === true) return
    const { softMs, hardMs } = job.deadlines ?? this.#usual
    const elapsed = now - job.since
    if (job.overdue) {
      if (elapsed >= GRACE_MS) this.#actions.stuck(link, job, elapsed + hardMs)
      return
    }
    const waits = job.answering || job.upload?.awaitsVisitor === true
    if (softMs > 0 && elapsed >= softMs + TICK_MS && !waits && !job.dropped) {
      this.#slow(link, job, now)
    }
    if (hardMs === 0 || elapsed < hardMs + TICK_MS) return
    if (job.dropped) return this.#actions.stuck(link, job, elapsed)
    if (waits) return
    this.#actions.fail(job, overdue(hardMs))
    job.overdue = true
    link.cancel(job.id)
  }

  #slow(link: WorkerLink, job: Job, now: number): void {
    if (job.slow) return
    job.slow = true
    if (this.#told >= MOST_TOLD) {
      this.#untold++
      return
    }
    this.#told++
    this.#actions.slow(link, job, now - job.since, this.#untold)
    this.#untold = 0
  }
}

/** None stands in front of it. */
function runsLong(job: Job, now: number): boolean {
  return job.link !== null && now - job.since >= LONG_MS
}

/** It is not answered yet. */
function isOpen(job: Job | null): boolean {
  return job !== null && !job.dropped && !job.answering
}

function overdue(ms: number): PorticoError {
  return new PorticoError('APP_DEADLINE', `${ms} ms`)
}
