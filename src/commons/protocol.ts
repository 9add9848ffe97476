/** What the supervisor and the commons process tell each other, over its IPC channel. Plain data only. */
import type { QueueFacts } from '../jobs/engine.ts'
import type { JobsPlan } from '../site/jobs-plan.ts'
import type { CommonsLimits } from './commons.ts'

export type Speaks = 'resp' | 'memcached'

/** A listening descriptor that was inherited. */
export interface CommonsListener {
  readonly fd: number
  readonly speaks: Speaks
  readonly backlog: number
}

export type ToCommons =
  | {
      readonly type: 'start'
      readonly limits: CommonsLimits
      readonly jobs: JobsPlan
      readonly listeners: readonly CommonsListener[]
      /** Connections that the supervisor has accepted before there was a process. */
      readonly accepted: readonly { readonly fd: number; readonly speaks: Speaks }[]
      /** Whom to become once all is loaded; null: stay. */
      readonly become: { readonly uid: number; readonly gid: number } | null
    }
  /** After a reload. */
  | { readonly type: 'jobs'; readonly jobs: JobsPlan }
  | { readonly type: 'status'; readonly ask: number }

export type FromCommons =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }
  /** An application has raised a signal. */
  | { readonly type: 'signal'; readonly name: string }
  | { readonly type: 'status'; readonly ask: number; readonly status: CommonsStatus }

/** Facts of the commons process. Counters only ever grow, as long as it lives. */
export interface CommonsStatus {
  readonly clients: number
  readonly connections: number
  readonly commands: number
  readonly keys: number
  /** Bytes kept, of `limit`. */
  readonly used: number
  readonly limit: number
  readonly evicted: number
  readonly expired: number
  readonly hits: number
  readonly misses: number
  readonly rss: number
  readonly uptimeMs: number
  readonly metrics: readonly UserMetric[]
  /** Jobs of each queue; none as long as nobody has used jobs. */
  readonly jobs: readonly QueueStatus[]
}

/** Counts are those of a moment ago. */
export interface QueueStatus extends Omit<QueueFacts, 'oldestAt'> {
  /** Since the oldest one that waits was put, ms; 0: none waits, or the engine cannot tell. */
  readonly oldestMs: number
}

/** Upper bounds of what a timing's buckets hold, seconds: Prometheus' own. */
export const TIMING_BOUNDS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** A metric that an application reported with PORTICO.METRIC. */
export interface UserMetric {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'timing'
  readonly labels: Readonly<Record<string, string>>
  /** Sum of a counter and of a timing (seconds), last value of a gauge. */
  readonly value: number
  /** How many were reported. */
  readonly count: number
  /** Of a timing: how many took at most as long as the bound with the same index; no more than `count`. */
  readonly buckets: readonly number[]
}
