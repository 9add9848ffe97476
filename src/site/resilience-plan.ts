/** The part of a pool's Plan that says what happens when its servers fail, or have too much to do. */

/** What may have happened to a request at a server, besides a status. */
export type Trouble = 'closed' | 'timeout' | 'garbage'

/** What counts as a failure. A server that could not be connected to always does. */
export interface FailurePlan {
  readonly troubles: readonly Trouble[]
  readonly statuses: readonly number[]
}

export interface RetryPlan {
  readonly on: FailurePlan
  /** Servers that are given a request at most, the first included. */
  readonly tries: number
  /** From the request's arrival to the last try's end, ms; 0: no bound. */
  readonly timeMs: number
  /** Longest wait for the head of an answer where another try may follow, ms; 0: the pool's. */
  readonly eachMs: number
  /** Retries for each request, from 0 to 1, on the long run. */
  readonly budget: number
  /** Requests of any method, even those that do something twice when they are sent twice. */
  readonly unsafe: boolean
  /** Longest request body that is kept for another try, bytes. */
  readonly body: number
}

/** When whoever fails is not asked any more. */
export interface BreakerPlan {
  readonly on: FailurePlan
  /** Failures in a row; 0: they do not count. */
  readonly failures: number
  /** Failures of all requests within the window, from 0 to 1; 0: it does not count. */
  readonly share: number
  readonly windowMs: number
  /** Requests within the window that say anything about the share. */
  readonly least: number
  /** The first time; twice as long each time after, up to `longestMs`. */
  readonly restMs: number
  readonly longestMs: number
}

/** Of servers. */
export interface PassivePlan extends BreakerPlan {
  /** Of the pool's servers, from 0 to 1: so many are out at once at most; one may always be, the last never. */
  readonly most: number
}

/** Of a pool as a whole. */
export interface PoolBreakerPlan extends BreakerPlan {
  /** Requests in hand and waiting at most; 0: as many as come. */
  readonly pending: number
}

/** Requests that wait for a place at a server with `max-connections`. */
export interface QueuePlan {
  readonly size: number
  readonly timeoutMs: number
}

export interface HedgePlan {
  /** When the second request is sent, ms; null: after as long as 95 of 100 answers take to begin. */
  readonly afterMs: number | null
  /** Second requests for each request, from 0 to 1, on the long run. */
  readonly budget: number
}

/** What visitors get when no server can answer. */
export interface SorryPlan {
  readonly status: number
  readonly type: string
  readonly body: string
}

export interface ResiliencePlan {
  readonly retry: RetryPlan | null
  readonly passive: PassivePlan | null
  readonly breaker: PoolBreakerPlan | null
  readonly queue: QueuePlan | null
  /** How long a server takes a growing part of the requests after it came back, ms; 0: it does not. */
  readonly slowStartMs: number
  readonly hedge: HedgePlan | null
  readonly sorry: SorryPlan | null
}
