/** How many jobs of a queue run at a time and how many begin in a time, on this machine; and when to look again. */

export interface QueueLimits {
  /** Jobs that run at a time; 0: no limit. */
  readonly concurrency: number
  /** Jobs that may begin in `perMs`; 0: no limit. */
  readonly rate: number
  readonly perMs: number
}

const UNLIMITED: QueueLimits = { concurrency: 0, rate: 0, perMs: 1000 }

export class QueueGate {
  readonly queue: string
  #limits: QueueLimits
  /** It may have a job. */
  news = true
  #running = 0
  /** Jobs that may begin now; filled up as time goes by, to the rate at most. */
  #tokens: number
  #filledAt = performance.now()
  #askAt = Number.POSITIVE_INFINITY

  constructor(queue: string, limits: QueueLimits = UNLIMITED) {
    this.queue = queue
    this.#limits = limits
    this.#tokens = limits.rate
  }

  change(limits: QueueLimits = UNLIMITED): void {
    this.#limits = limits
  }

  /** Jobs that may begin now. `now` is performance.now(). */
  room(now: number): number {
    const { concurrency, rate, perMs } = this.#limits
    const places = concurrency === 0 ? Number.POSITIVE_INFINITY : concurrency - this.#running
    if (rate === 0) return places
    this.#tokens = Math.min(rate, this.#tokens + ((now - this.#filledAt) * rate) / perMs)
    this.#filledAt = now
    return Math.max(0, Math.min(places, Math.floor(this.#tokens)))
  }

  enter(count: number): void {
    this.#running += count
    this.#tokens -= count
  }

  leave(count: number): void {
    this.#running -= count
  }

  /** They did not begin. */
  refund(count: number): void {
    this.#tokens += count
  }

  /** Nothing of the queue is due until then (performance.now()), unless somebody tells otherwise. */
  emptyUntil(at: number): void {
    this.#askAt = at
  }

  look(now: number): void {
    if (this.#askAt > now) return
    this.#askAt = Number.POSITIVE_INFINITY
    this.news = true
  }

  /** When there may be something to ask for, in ms; infinite: when somebody tells. */
  waitMs(now: number): number {
    if (!this.news) return this.#askAt - now
    const { rate, perMs } = this.#limits
    return rate === 0 || this.#tokens >= 1
      ? Number.POSITIVE_INFINITY
      : ((1 - this.#tokens) * perMs) / rate
  }
}
