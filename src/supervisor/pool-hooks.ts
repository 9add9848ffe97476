/** Commands that are run when a server of a pool comes up or goes down: a few at a time, none for ever. */
import { CommandProcess, showEnd } from '../background/command-process.ts'
import type { HealthReport } from '../balance/health-report.ts'
import type { HooksPlan } from '../site/check-plan.ts'
import { type Credentials, findCredentials, ordinaryUser } from '../system/users.ts'
import type { Logger } from './logger.ts'
import { settledWithin } from './timers.ts'

const MOST_AT_ONCE = 4
/** More are left out: whoever flaps that much has been told so. */
const MOST_WAITING = 64
const LONGEST_MS = 30_000
const GRACE_MS = 1_000

interface Call {
  readonly argv: readonly string[]
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  readonly name: string
}

export class PoolHooks {
  readonly #logger: Logger
  readonly #credentials: () => Credentials | null
  readonly #longestMs: number
  readonly #running = new Set<CommandProcess>()
  readonly #waiting: Call[] = []
  #busy = 0
  #closed = false

  /** `credentials`: whom the site runs as; `longestMs`: of one command. */
  constructor(
    logger: Logger,
    credentials: () => Credentials | null,
    longestMs: number = LONGEST_MS,
  ) {
    this.#logger = logger
    this.#credentials = credentials
    this.#longestMs = longestMs
  }

  run(hooks: HooksPlan, report: HealthReport, up: number, all: number): void {
    const { pool, server, verdict, why } = report
    const argv = verdict === 'up' ? hooks.up : hooks.down
    if (argv.length === 0 || this.#closed) return
    const name = `on-${verdict} of pool ${pool} for ${server}`
    if (this.#waiting.length >= MOST_WAITING) {
      return this.#logger.warn(`${name} is left out: ${MOST_WAITING} others wait already`)
    }
    const env = {
      PORTICO_POOL: pool,
      PORTICO_SERVER: server,
      PORTICO_STATE: verdict,
      PORTICO_WHY: why,
      PORTICO_UP: `${up}`,
      PORTICO_SERVERS: `${all}`,
    }
    this.#waiting.push({ argv, dir: hooks.folder, env, name })
    this.#next()
  }

  #next(): void {
    if (this.#busy === MOST_AT_ONCE) return
    const call = this.#waiting.shift()
    if (call === undefined) return
    this.#busy++
    void this.#call(call)
      .catch((error: Error) => this.#logger.error(`${call.name}: ${error.message}`))
      .finally(() => {
        this.#busy--
        this.#next()
      })
  }

  async #call({ argv, dir, env, name }: Call): Promise<void> {
    const plan = { argv, dir, env, user: '', group: '' }
    const command = new CommandProcess(plan, this.#who(), (line) =>
      this.#logger.info(`${name}: ${line}`),
    )
    this.#running.add(command)
    if (!(await settledWithin(command.ended, this.#longestMs))) {
      this.#logger.warn(`${name} has run for ${this.#longestMs / 1000} s: killed`)
      await command.stop('SIGTERM', GRACE_MS)
    }
    const end = await command.ended
    this.#running.delete(command)
    if (end.code !== 0 && !this.#closed) this.#logger.warn(`${name}: ${showEnd(end)}`)
  }

  /** Never root just because nobody has said who. */
  #who(): Credentials | null {
    const own = this.#credentials()
    if (own !== null || process.getuid?.() !== 0) return own
    return findCredentials(ordinaryUser(), '')
  }

  /** Nothing of it is left afterwards. */
  async close(): Promise<void> {
    this.#closed = true
    this.#waiting.length = 0
    await Promise.all([...this.#running].map((command) => command.stop('SIGTERM', 0)))
  }
}
