/** What the server process's main thread and its server threads tell each other. Plain data only. */
import type { ListenerPlan, SitePlan } from '../site/plan.ts'
import type { TlsSecrets } from '../tls/secrets.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import type { Linked } from './joined.ts'
import type { AppState, FromServer, QuartersInServer, RequestInHand, ToServer } from './protocol.ts'

/** Shared memory of one application, and what its slots mean. */
export interface AppMemory {
  readonly claims: SharedArrayBuffer
  readonly slots: number
  /** See AppCounts. */
  readonly counts: SharedArrayBuffer
}

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
  /** See PoolMemory. */
  readonly pools: Readonly<Record<string, SharedArrayBuffer>>
  /** See Tally. */
  readonly tallies: SharedArrayBuffer
  /** Tables of whose visitors are, by pool: see persistence/create.ts. */
  readonly belongings: Readonly<Record<string, SharedArrayBuffer>>
  /** By pool, for those that have any. */
  readonly poolFiles: Readonly<Record<string, PoolFiles>>
  /** Counts of listeners without HTTP: see StreamCounts. */
  readonly streams: SharedArrayBuffer
  /** Tables of limits: see filters/limit/allocate.ts. */
  readonly limits: Readonly<Record<string, SharedArrayBuffer>>
  readonly tls: TlsSecrets
  readonly spool: string
  /** What is closed for maintenance. */
  readonly closed: readonly string[]
  /** Of applications that have any, with the link socket of this thread. */
  readonly quarters: Readonly<Record<string, QuartersInServer & { readonly link: number }>>
}

export type ToThread =
  | { readonly type: 'app'; readonly app: string; readonly status: AppState }
  | Extract<ToServer, { type: 'dismiss' }>
  | { readonly type: 'leave' }
  | { readonly type: 'drain' }
  | { readonly type: 'requests'; readonly ask: number; readonly most: number }
  | Extract<ToServer, { type: 'certificates' | 'metrics' | 'proof' | 'closed' }>
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'close' }

/** With the number of its route for what that is called. */
export type ThreadRequest = Omit<RequestInHand, 'route' | 'app'> & { readonly route: number }

export type FromThread =
  | { readonly type: 'ready' }
  /** Something that all threads find out. */
  | { readonly type: 'found'; readonly message: string }
  | { readonly type: 'draining' }
  | { readonly type: 'drained' }
  | {
      readonly type: 'requests'
      readonly ask: number
      readonly total: number
      readonly requests: readonly ThreadRequest[]
    }
  | Extract<FromServer, { type: 'metrics' | 'proof' }>
  | ({ readonly type: 'linked' } & Linked)
  | { readonly type: 'dismissed'; readonly ask: number }
  | Extract<FromServer, { type: 'stuck' | 'slow' | 'broken' | 'failed' | 'log' | 'wanted' }>
