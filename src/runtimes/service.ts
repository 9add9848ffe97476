/**
 * The seam between the supervisor and servers of their own that run an application: php-fpm and the
 * like. They listen on a socket, keep their own workers and speak no control channel of ours.
 */
import type { Address, AppPlan } from '../site/plan.ts'
import type { WorkerCommand } from './runtime.ts'

/** Where a service is to live. */
export interface ServicePlace {
  /** Private folder for its files, of the user that it is started as. */
  readonly folder: string
  /** The unix socket that it is to listen on. */
  readonly socket: string
  /** That socket is open: its descriptor 3, or its stdin where it asks for that. */
  readonly inherits: boolean
  /** Connections that may wait there. */
  readonly backlog: number
  readonly dev: boolean
  /** Files are being edited: changes are to be seen at once. */
  readonly watch: boolean
  /** After so long the stack of a request is to be written, ms; 0: never. */
  readonly slowMs: number
  /** Whom it has to become by itself, being started as root; '' when it is started as who it shall be. */
  readonly becomes: string
}

/** What a line of a service's stderr says. */
export type ServiceNews =
  | {
      readonly type: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      /** Whose line it is; 0: the service's own. */
      readonly pid: number
    }
  /** A request (`GET /a?b`) has run for longer than its deadline; a `traced` follows where it can. */
  | {
      readonly type: 'slow'
      readonly pid: number
      readonly request: string
      readonly elapsedMs: number
    }
  /** The stack of that process is in the file of traces. */
  | { readonly type: 'traced'; readonly pid: number }
  /** A worker ended; the service replaces it. */
  | {
      readonly type: 'died'
      readonly pid: number
      readonly how: string
      readonly expected: boolean
    }

/** How a service is met that listens somewhere else, and what it leaves behind. */
export interface Reach {
  /** Its folder is there. */
  prepare(): void
  /** Where it answers, and its first process, 0 where that cannot be told; null: not yet. */
  find(): Promise<{ readonly address: Address; readonly pid: number } | null>
  /** Ends what outlives its command. */
  clear(): Promise<void>
  /** A command that does that when we cannot any more. */
  readonly guard: readonly string[]
}

export interface Service {
  /** For people: `PHP 8.2.36 (php-fpm)`. */
  readonly version: string
  readonly command: WorkerCommand
  /** What to write into its folder before each start. */
  readonly files: Readonly<Record<string, string>>
  /** Ends it once it has finished what it has in hand. */
  readonly stopSignal: NodeJS.Signals
  /** The file that it writes stacks to; '' when it cannot tell which worker is slow. */
  readonly traces: string
  /** A socket that it inherits has to be its stdin. */
  readonly listensOnStdin: boolean
  /** One question that every service of this kind answers, and whether this is an answer to it. */
  readonly question: Uint8Array
  isAnswer(bytes: Uint8Array): boolean
  /** Understands a line of its stderr. */
  read(line: string): ServiceNews
  /** Left out where it listens on `ServicePlace.socket`; else it is asked no question. */
  readonly reach?: Reach
}

export interface ServiceRuntime {
  readonly name: string
  /** Rejects with an Error with a remedy when the machine lacks what the application needs. */
  prepare(app: AppPlan, place: ServicePlace): Promise<Service>
}
