/**
 * Brings two reports on one request together: the server's, that it gave up waiting for an answer, and
 * the service's, which of its workers runs it. Only both together condemn a worker: an answer that has
 * begun may take as long as it likes. Knows no clock.
 */

/** Both sides' clocks and measurements differ by less, ms. */
const TOLERANCE_MS = 1_000
/** What has waited so long for its counterpart has none. */
const FORGET_MS = 3_600_000
const MOST = 1_000
/** php-fpm remembers so much of a request line. */
const COMPARED = 100

/** A worker has run it since `beganAt`. */
export interface RunningRequest {
  readonly pid: number
  /** `GET /a?b`, perhaps cut short. */
  readonly request: string
  readonly beganAt: number
}

/** It was sent at `sentAt` and given up at `endedAt`: a worker took it at some time between the two. */
export interface AbandonedRequest {
  readonly request: string
  readonly sentAt: number
  readonly endedAt: number
}

export class SlowRequests {
  #running: RunningRequest[] = []
  #abandoned: AbandonedRequest[] = []

  /** Whether nobody waits for it any more. */
  runs(running: RunningRequest): boolean {
    this.forget(running.pid)
    const at = this.#abandoned.findIndex((abandoned) => same(running, abandoned))
    if (at >= 0) this.#abandoned.splice(at, 1)
    else this.#running = [...recent(this.#running, (one) => one.beganAt, running.beganAt), running]
    return at >= 0
  }

  /** The worker that runs it; 0 when that is not known yet. */
  abandon(abandoned: AbandonedRequest): number {
    const at = this.#running.findIndex((running) => same(running, abandoned))
    const [running] = at >= 0 ? this.#running.splice(at, 1) : []
    if (running !== undefined) return running.pid
    const { endedAt } = abandoned
    this.#abandoned = [...recent(this.#abandoned, (one) => one.endedAt, endedAt), abandoned]
    return 0
  }

  /** The same, of a request that goes on: it stays known. */
  runner(suspect: AbandonedRequest): number {
    return this.#running.find((running) => same(running, suspect))?.pid ?? 0
  }

  /** The worker has ended, or runs something else. */
  forget(pid: number): void {
    this.#running = this.#running.filter((running) => running.pid !== pid)
  }

  clear(): void {
    this.#running = []
    this.#abandoned = []
  }
}

function same(running: RunningRequest, abandoned: AbandonedRequest): boolean {
  return (
    running.beganAt >= abandoned.sentAt - TOLERANCE_MS &&
    running.beganAt <= abandoned.endedAt &&
    running.request.slice(0, COMPARED) === abandoned.request.slice(0, COMPARED)
  )
}

function recent<Report>(reports: Report[], at: (one: Report) => number, now: number): Report[] {
  return reports.filter((one) => now - at(one) < FORGET_MS).slice(1 - MOST)
}
