/**
 * What the supervisor and the server process tell each other, over the server's IPC channel.
 * Plain data only.
 */
import type { SitePlan } from '../site/plan.ts'

/** How an application's workers are doing, as the server threads need to know it. */
export type AppState =
  /** The warm parent is importing. Requests wait in the queue. */
  | { readonly state: 'starting' }
  /** Workers connect by themselves; requests wait in the queue while none has. */
  | { readonly state: 'running' }
  /** The import failed; `detail` is the traceback or the reason. Requests get 500. */
  | { readonly state: 'broken'; readonly detail: string }

export type ToServer =
  | {
      readonly type: 'start'
      readonly plan: SitePlan
      readonly generation: number
      /** Inherited descriptors by listener, each there once: of T threads, thread i accepts from i, i+T, … */
      readonly sockets: readonly (readonly number[])[]
      /** Private folder; thread i listens for workers at `linkDir/link-<i>.sock`. */
      readonly linkDir: string
    }
  | { readonly type: 'app'; readonly app: string; readonly status: AppState }
  /** Accept no more, finish what is in hand within the bound, then report `drained`. */
  | { readonly type: 'drain'; readonly timeoutMs: number }
  /** After `drained`: tell the workers to end, and exit. */
  | { readonly type: 'end' }
  /** Open the access log anew (rotation). */
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'status'; readonly ask: number }

export type FromServer =
  /** Every thread listens for workers and visitors. */
  | { readonly type: 'ready' }
  /** The server cannot start; the reason, with its remedy. */
  | { readonly type: 'failed'; readonly message: string }
  /** A worker exceeded its deadline: log its stack, then kill and replace it. */
  | {
      readonly type: 'stuck'
      readonly app: string
      readonly slot: number
      readonly pid: number
      readonly request: string
      /** The same request as the service that runs it calls it, where there is one. */
      readonly alias?: string
      readonly elapsedMs: number
    }
  /** An application that runs in the server's threads did not load; before `ready`. */
  | { readonly type: 'broken'; readonly app: string; readonly detail: string }
  | { readonly type: 'status'; readonly ask: number; readonly status: ServerStatus }
  /** After `drain`: no visitor is accepted any more. */
  | { readonly type: 'draining' }
  /** After `drain`: all is answered, or the time for it is over. */
  | { readonly type: 'drained' }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }

/** Facts of one server process, summed over its threads. Counters only ever grow. */
export interface ServerStatus {
  readonly threads: number
  readonly connections: { readonly open: number; readonly accepted: number }
  readonly requests: { readonly total: number; readonly active: number }
  /** By class: `1xx` … `5xx`. */
  readonly answers: Readonly<Record<string, number>>
  readonly bytes: { readonly received: number; readonly sent: number }
  readonly apps: Readonly<
    Record<
      string,
      { requests: number; errors: number; waiting: number; busy: number; workers: number }
    >
  >
  readonly memory: { readonly rss: number }
  readonly uptimeMs: number
}
