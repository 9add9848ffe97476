/** What a site does beside answering visitors: the part of the Plan that `cron`, `timers`, `watch` and `daemons` become. */

/** A program to start, and as whom. */
export interface CommandPlan {
  /** The program and its arguments. */
  readonly argv: readonly string[]
  /** Absolute working directory. */
  readonly dir: string
  /** On top of our own environment. */
  readonly env: Readonly<Record<string, string>>
  /** When started as root; '' for the site's own. */
  readonly user: string
  readonly group: string
}

/** What a task does when its time has come. */
export type ActionPlan =
  | { readonly kind: 'run'; readonly command: CommandPlan }
  /** A function in the application's code: `module:name`, or the key of what a decorator declared. */
  | {
      readonly kind: 'call'
      readonly app: string
      readonly target: string
      readonly declared: boolean
      /** What functions get that take one: a signal's name. '' for none. */
      readonly argument: string
    }
  /** A request to the site itself, or to any other over http. */
  | { readonly kind: 'get'; readonly url: string; readonly host: string }
  | {
      readonly kind: 'job'
      readonly job: string
      readonly queue: string
      readonly payload: string
    }
  | { readonly kind: 'signal'; readonly signal: string }
  /** Of one application; '' for the site. */
  | { readonly kind: 'reload'; readonly app: string }

/** When the last run still goes on: leave this one out, let it wait, or run both. */
export type Overlap = 'skip' | 'queue' | 'allow'

export interface TaskPlan {
  readonly name: string
  readonly action: ActionPlan
  /** Longest run, ms; 0: no limit. */
  readonly timeoutMs: number
  readonly overlap: Overlap
}

export interface CronPlan extends TaskPlan {
  /** A cron expression. */
  readonly at: string
  /** IANA name; '' for the machine's own. */
  readonly zone: string
  readonly missed: 'skip' | 'once'
  /** A run is late by up to this long, at random, ms. */
  readonly jitterMs: number
}

export interface TimerPlan extends TaskPlan {
  readonly everyMs: number
  readonly jitterMs: number
  /** Runs in all; 0: without end. */
  readonly times: number
}

export interface WatchPlan extends TaskPlan {
  /** Absolute paths and patterns. */
  readonly files: readonly string[]
  /** How long nothing must change before it is told, ms. */
  readonly settleMs: number
}

export type ReadyPlan =
  | { readonly kind: 'started' }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  /** The source of a regular expression that a line of its output matches. */
  | { readonly kind: 'log'; readonly pattern: string }

export interface DaemonPlan {
  readonly name: string
  readonly command: CommandPlan
  readonly restart: 'always' | 'on-failure' | 'never'
  readonly stopSignal: NodeJS.Signals
  readonly stopTimeoutMs: number
  readonly ready: ReadyPlan
  /** Longest until it is ready, ms. */
  readonly startTimeoutMs: number
}

export interface BackgroundPlan {
  readonly cron: readonly CronPlan[]
  readonly timers: readonly TimerPlan[]
  readonly watch: readonly WatchPlan[]
  readonly daemons: Readonly<Record<string, DaemonPlan>>
}

export const noBackground: BackgroundPlan = { cron: [], timers: [], watch: [], daemons: {} }
