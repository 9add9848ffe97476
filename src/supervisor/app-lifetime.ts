/** What a generation asks of whatever runs an application: a warm parent, or a service of its own. */
import type { Role } from '../runtimes/runtime.ts'
import type { AppNews, AppState, FromServer } from '../server/protocol.ts'
import type { AppFacts } from './app-process.ts'
import type { ReloadHow } from './app-reload.ts'
import type { KeptRole, RoleEnd } from './roles.ts'
import type { SlowReport } from './slow-log.ts'

export interface AppLifetime {
  readonly status: AppState
  /** Workers that it is to have now. */
  readonly wanted: number
  /** It starts, but its workers do not live. */
  readonly isDyingYoung: boolean
  readonly facts: AppFacts
  /** What goes wrong is told through `changed` and the log. */
  start(): void
  /** Resolves once the application is broken, or running with all its workers. */
  settled(): Promise<AppState>
  /** The server found a request past its deadline. */
  stuck(report: Extract<FromServer, { type: 'stuck' }>): void
  /** The server tells what concerns the number of workers. */
  heard(news: AppNews): void
  /** One worker more or less until the next reload, where that can be; tells the log. */
  adjust(by: 1 | -1): void
  /** Loads it anew beside what serves, which goes on where that fails; rejects with the reason. */
  reload(how: ReloadHow): Promise<void>
  /**
   * A process in the application's own code beside its workers, kept alive until the application stops.
   * Throws, with the reason, where there is no such thing.
   */
  keep(role: Role): KeptRole
  /**
   * Such a process that runs once, for `timeoutMs` at most; 0: without a bound. Rejects with the reason
   * where there is no such thing, or when the application does not load.
   */
  once(role: Role, timeoutMs: number): Promise<RoleEnd>
  /** A request runs longer than its soft deadline: tells where its worker stands. */
  slow(report: SlowReport): void
  /** Lets it finish what it has in hand; kills what is left after `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>
}
