/**
 * The seam between jobs and what keeps them: a file of this machine, Redis, RabbitMQ. An engine knows no
 * worker, no retry and no lease time: the desk (desk.ts) does. It keeps jobs durably, hands each one to
 * one holder at a time, and gives back what a holder that died had in hand.
 */

/** Highest priority; 0 is the usual one. */
export const HIGHEST_PRIORITY = 9

/** Plain data, as every engine keeps it. Times are ms since 1970. */
export interface Job {
  readonly id: string
  readonly queue: string
  readonly name: string
  readonly payload: Uint8Array
  /** 0 to 9, 9 first. */
  readonly priority: number
  readonly putAt: number
  /** Not before this. */
  readonly dueAt: number
  /** How often it was begun, the run in hand included. */
  readonly attempts: number
  /** After so many failed ones it is a dead letter. */
  readonly maxAttempts: number
  /** The first wait before it is tried again, ms; each further one is twice as long. */
  readonly backoffMs: number
  /** Longest it may run, ms; 0: as its worker has it. */
  readonly deadlineMs: number
  /** How long its result is kept, ms; 0: not at all. */
  readonly keepMs: number
  /** While a job with this key waits in the queue, no other one is put; '' for none. */
  readonly key: string
}

/** A job in the hands of this engine's process. */
export interface Lease {
  readonly id: string
  /** Means something to the engine alone. */
  readonly receipt: string
}

export interface Held extends Lease {
  readonly job: Job
}

export interface Leased {
  readonly held: readonly Held[]
  /** When to ask again though nobody tells of new work: the next one is due, or the engine cannot tell; 0: never. */
  readonly askAt: number
}

export type Outcome =
  | { readonly kind: 'done'; readonly result: Uint8Array }
  /** Waits again until `dueAt`; an attempt that was `given back` does not count. */
  | {
      readonly kind: 'again'
      readonly dueAt: number
      readonly error: string
      readonly givenBack: boolean
    }
  | { readonly kind: 'dead'; readonly error: string }

/** Of a job that is kept. */
export type LivingState = 'waiting' | 'delayed' | 'running' | 'dead'
/** And of one of which no more than that is remembered. */
export type JobState = LivingState | 'done' | 'cancelled'

/** What is known of a job, whatever became of it. */
export interface JobFacts {
  readonly id: string
  readonly queue: string
  readonly name: string
  readonly state: JobState
  readonly priority: number
  readonly attempts: number
  readonly maxAttempts: number
  readonly putAt: number
  readonly dueAt: number
  /** 0: it has not ended. */
  readonly endedAt: number
  /** Of its last failed attempt; '' for none. */
  readonly error: string
  /** Of a job that is done; null: none was kept. */
  readonly result: Uint8Array | null
  /** Null once it is done. */
  readonly payload: Uint8Array | null
}

export interface QueueFacts {
  readonly queue: string
  readonly waiting: number
  readonly delayed: number
  readonly running: number
  readonly dead: number
  /** When the oldest one that waits was put; 0: none, or the engine cannot tell. */
  readonly oldestAt: number
}

/** What people ask about jobs and do with dead ones. */
export interface Records {
  find(id: string): Promise<JobFacts | null>
  /** It will not begin. False: it is unknown, runs, or has ended. */
  cancel(id: string): Promise<boolean>
  queues(): Promise<readonly QueueFacts[]>
  /** The oldest first. */
  list(queue: string, state: LivingState, most: number): Promise<readonly JobFacts[]>
  /** Dead letters back into their queue, with all their attempts: the one, or all of a queue; how many. */
  revive(which: Which): Promise<number>
  /** Forgets dead letters; how many. */
  drop(which: Which): Promise<number>
}

export type Which = { readonly id: string } | { readonly queue: string }

export interface JobEngine {
  readonly name: string
  readonly records: Records
  /**
   * Resolves once the job is kept so that it outlives a crash, with its id, or with the id of the job
   * that waits under the same key. The same id again is the same job. Rejects with a JobError.
   */
  put(job: Job): Promise<string>
  /** Up to `most` jobs that are due, the most urgent first; never waits for one. */
  lease(queue: string, most: number): Promise<Leased>
  /**
   * False: the job was not in our hands any more; it may run, or have run, elsewhere. `lease` of an earlier
   * life of this process may still be settled as done, where the engine remembers it.
   */
  settle(lease: Lease, outcome: Outcome): Promise<boolean>
  /** What is still in hand is given back. */
  close(): Promise<void>
}

/** What an engine tells on its own account. */
export interface EngineEvents {
  /** There may be new work in this queue; '': in any. */
  work(queue: string): void
  /** One line for the log: a broker that is gone, or back. */
  warn(message: string): void
}

/** Why a job was not taken. */
export type JobErrorCode = 'FULL' | 'UNAVAILABLE' | 'INVALID' | 'BROKEN'

/** The message says what and the remedy. */
export class JobError extends Error {
  readonly code: JobErrorCode

  constructor(code: JobErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'JobError'
    this.code = code
  }
}
