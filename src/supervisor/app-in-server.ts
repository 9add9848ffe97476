/** An application without processes of its own: the server's threads load and run it. */
import type { Role } from '../runtimes/runtime.ts'
import type { AppState } from '../server/protocol.ts'
import type { AppLifetime } from './app-lifetime.ts'
import type { AppFacts } from './app-process.ts'
import type { Logger } from './logger.ts'
import { refuseRole } from './roles.ts'
import { SlowLog, type SlowReport } from './slow-log.ts'

export class AppInServer implements AppLifetime {
  readonly isDyingYoung: boolean = false
  readonly #name: string
  readonly #logger: Logger
  readonly #slow: SlowLog
  #status: AppState = { state: 'running' }

  constructor(name: string, logger: Logger) {
    this.#name = name
    this.#logger = logger
    this.#slow = new SlowLog(name, logger)
  }

  get status(): AppState {
    return this.#status
  }

  get facts(): AppFacts {
    const { state } = this.#status
    const detail = this.#status.state === 'broken' ? this.#status.detail : ''
    return {
      state,
      detail,
      version: process.versions.node,
      parent: 0,
      workers: [],
      restarts: 0,
      reasons: {},
    }
  }

  /** It begins with the server. */
  start(): void {}

  /** As far as is known: the server tells before it is ready. */
  async settled(): Promise<AppState> {
    return this.#status
  }

  /** A thread could not load it. Each of them says so. */
  broken(detail: string): void {
    if (this.#status.state === 'broken') return
    this.#status = { state: 'broken', detail }
    this.#logger.error(`application ${this.#name} did not load: ${detail}`, { app: this.#name })
  }

  /** Its deadlines are the server's own matter. */
  stuck(): void {}

  readonly wanted: number = 0

  heard(): void {}

  adjust(): void {
    this.#logger.warn(`application ${this.#name} runs in the server's threads: it has no workers`)
  }

  async reload(): Promise<never> {
    throw new Error(
      `application ${this.#name} runs in the server's threads: reload the whole site, or set \`run: processes\``,
    )
  }

  keep(role: Role): never {
    refuseRole(this.#name, "the server's own", role)
  }

  async once(role: Role): Promise<never> {
    refuseRole(this.#name, "the server's own", role)
  }

  /** What runs in the server’s own threads has no stack of its own: it waits for something. */
  slow(report: SlowReport): void {
    this.#slow.tell(report, 'it runs inside the server: there is no stack to show')
  }

  /** It ends with the server. */
  async stop(): Promise<void> {}
}
