/**
 * What the warm parent, a worker, and the two threads of a worker tell each other. With the parent: JSON
 * lines, both ways, on the worker's descriptor 3. Between the threads: messages.
 */
import type { NodeAppPlan } from '../../site/plan.ts'
import type { Role } from '../runtime.ts'

/** In the variable of its environment that `start-variable.mjs` names, as JSON. */
export interface WorkerStart {
  readonly app: NodeAppPlan
  /** Every server thread's socket. */
  readonly links: readonly string[]
  /** Absent: it answers requests. */
  readonly role?: Role
}

export type ToWorker =
  /** Connect to the server as the worker of this slot. */
  | { readonly type: 'serve'; readonly slot: number }
  /** Finish what is in hand, then exit. */
  | { readonly type: 'retire' }
  /** Write the stack of the main thread to stderr, however stuck it is. It goes on. */
  | { readonly type: 'traceback' }

export interface DeclaredJob {
  readonly name: string
  readonly queue: string
}

export type FromWorker =
  /** The module is loaded, and it is known how it answers. */
  | { readonly type: 'loaded'; readonly jobs: readonly DeclaredJob[] }
  /** It cannot be served; the worker exits. */
  | { readonly type: 'failed'; readonly detail: string }

/** From the thread beside it to the application's. */
export type ToMain =
  | Exclude<ToWorker, { type: 'traceback' }>
  /** Say that you are awake, and what you wait for. */
  | { readonly type: 'look' }
  | { readonly type: 'job'; readonly job: JobInHand; readonly payload: Uint8Array }
  /** All is said: end the process. */
  | { readonly type: 'exit'; readonly code: number }

export type FromMain =
  | { readonly type: 'awake'; readonly waits: string }
  /** The module with the jobs is loaded. */
  | { readonly type: 'ready' }
  | { readonly type: 'ended'; readonly outcome: JobOutcome }
  /** Something was thrown where nobody catches it: the process cannot go on. */
  | { readonly type: 'broken'; readonly error: string }
  | { readonly type: 'leave' }

/** What a job's function is told about it. */
export interface JobInHand {
  readonly id: string
  readonly name: string
  readonly queue: string
  /** From 1. */
  readonly attempt: number
  /** After so many failed ones it is a dead letter. */
  readonly attempts: number
}

export type JobOutcome =
  | { readonly kind: 'done'; readonly result: Uint8Array }
  /** `forGood`: no further attempt makes sense. `retryMs` -1: after the job's own back-off. */
  | {
      readonly kind: 'failed'
      readonly error: string
      readonly retryMs: number
      readonly forGood: boolean
    }
