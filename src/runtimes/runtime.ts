/** The seam between applications' languages and the supervisor. */
import type { AppPlan } from '../site/plan.ts'

/** How to start the warm parent of an application. The supervisor spawns it; a runtime never does. */
export interface WorkerCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

export interface Runtime {
  readonly name: string
  /** Its warm parent runs roles: see `Role`. */
  readonly roles?: boolean
  /** Throws an Error with a remedy when the machine lacks what the application needs. */
  command(app: AppPlan): WorkerCommand
}

/**
 * What a process does that is forked to something else than answering requests. `kind` names a module of
 * ours in the worker (Python: `portico_worker/roles/<kind>.py`); the rest is for that module: plain JSON.
 */
export interface Role {
  readonly kind: string
  readonly [fact: string]: unknown
}

/*
 * The control channel: JSON lines, both ways, on descriptor 3 of the warm parent (a unix stream
 * socket). The warm parent imports the application once and forks workers from there. It answers
 * every line in order; what it cannot read, it dies of. When descriptor 3 closes, everything it
 * started exits.
 */

export type ToParent =
  /** First line. `links`: every server thread's socket; `log`: where workers send their stderr. */
  | {
      readonly type: 'configure'
      readonly app: AppPlan
      readonly links: readonly string[]
      readonly log: string
      readonly dev: boolean
    }
  | { readonly type: 'spawn'; readonly slot: number; readonly role?: Role }
  /** Let the worker finish what it has in hand and exit. */
  | { readonly type: 'retire'; readonly slot: number }
  | { readonly type: 'kill'; readonly slot: number }
  /**
   * Have the worker write where it stands (the stack of every thread, task, greenlet) to its stderr, however
   * stuck it is. `goesOn`: it is not killed afterwards, so nothing may be done that could harm it.
   */
  | { readonly type: 'traceback'; readonly slot: number; readonly goesOn?: boolean }
  /** Retire every worker, then exit. */
  | { readonly type: 'quit' }

export type FromParent =
  /** Imported: ready to fork. */
  | {
      readonly type: 'loaded'
      readonly version: string
      /** What the code declares by decorators: see background/declares.ts. */
      readonly declares?: unknown
    }
  /** The import failed; the parent stays until told to quit. */
  | { readonly type: 'failed'; readonly detail: string }
  | { readonly type: 'spawned'; readonly slot: number; readonly pid: number }
  | {
      readonly type: 'exited'
      readonly slot: number
      readonly pid: number
      /** Exit code, or null when a signal ended it. */
      readonly code: number | null
      readonly signal: number | null
    }

export type Death = Extract<FromParent, { type: 'exited' }>

/*
 * The log socket: a worker connects to `log`, sends one line `{"app":…,"slot":…,"pid":…}`, and makes
 * the connection its stdout and stderr. What comes after are log lines, as the application wrote them.
 */
