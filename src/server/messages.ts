/** What the server process's main thread and its server threads tell each other. Plain data only. */
import type { ListenerPlan, SitePlan } from '../site/plan.ts'
import type { AppState, FromServer } from './protocol.ts'

/** Shared memory of one application, and what its slots mean. */
export interface AppMemory {
  readonly claims: SharedArrayBuffer
  readonly slots: number
  /** `APP_PLACES` numbers a thread. */
  readonly counts: SharedArrayBuffer
}

/** In a thread's block of `AppMemory.counts`. */
export const AppPlace = { requests: 0, errors: 1, waiting: 2, busy: 3, workers: 4 } as const
export const APP_PLACES = 5

/** `workerData` of a thread. */
export interface ThreadStart {
  readonly plan: SitePlan
  readonly thread: number
  readonly threads: number
  /** Listening descriptors that this thread accepts from. */
  readonly sockets: readonly { readonly fd: number; readonly listener: ListenerPlan }[]
  /** Where this thread's workers connect. */
  readonly linkPath: string
  readonly counters: SharedArrayBuffer
  readonly apps: Readonly<Record<string, AppMemory>>
  readonly spool: string
}

export type ToThread =
  | { readonly type: 'app'; readonly app: string; readonly status: AppState }
  | { readonly type: 'drain' }
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'close' }

export type FromThread =
  | { readonly type: 'ready' }
  | { readonly type: 'draining' }
  | { readonly type: 'drained' }
  | Extract<FromServer, { type: 'stuck' | 'broken' | 'failed' | 'log' }>
