/**
 * A program of the owner's that is kept alive beside the site, such as a redis-server.
 *
 *     start ──► starting ──ready──► running
 *                 ▲  ▲                 │
 *                 │  └── back-off ◄────┤ it ended, and `restart` says again
 *                 └────────────────────┴─► ended   (`restart` says no)
 */
import { isDeepStrictEqual } from 'node:util'
import type { DaemonPlan } from '../site/background-plan.ts'
import { afterWait, Backoff, CIRCUIT_DEATHS } from '../supervisor/backoff.ts'
import type { Logger } from '../supervisor/logger.ts'
import { said } from '../supervisor/said.ts'
import { delay } from '../supervisor/timers.ts'
import type { Credentials } from '../system/users.ts'
import { CommandProcess, type End, showEnd } from './command-process.ts'
import { answersAt } from './ready.ts'

/** One that lives shorter than this is started ever more slowly, ms. */
const YOUNG_MS = 5_000
const LONGEST_WAIT_MS = 30_000
const PROBE_EVERY_MS = 20
/** Last words that explain a failed start, lines. */
const LAST_WORDS = 10

export interface DaemonFacts {
  readonly name: string
  readonly state: 'starting' | 'running' | 'ended'
  /** 0: no process now. */
  readonly pid: number
  readonly restarts: number
  readonly uptimeMs: number
  /** How it last ended; '' when it never did. */
  readonly lastEnd: string
}

export class Daemon {
  readonly plan: DaemonPlan
  readonly #site: Credentials | null
  readonly #logger: Logger
  readonly #backoff = new Backoff({
    youngMs: YOUNG_MS,
    firstMs: 100,
    longestMs: LONGEST_WAIT_MS,
  })
  readonly #over = new AbortController()
  #process: CommandProcess | null = null
  #startedAt = 0
  #isReady = false
  #restarts = 0
  #lastEnd = ''
  #lastWords: string[] = []
  /** The whole life, over restarts. */
  #life: Promise<void> = Promise.resolve()

  constructor(plan: DaemonPlan, site: Credentials | null, logger: Logger) {
    this.plan = plan
    this.#site = site
    this.#logger = logger
  }

  get facts(): DaemonFacts {
    const pid = this.#process?.pid ?? 0
    return {
      name: this.plan.name,
      state: this.#isReady ? 'running' : this.#isOver ? 'ended' : 'starting',
      pid,
      restarts: this.#restarts,
      uptimeMs: pid === 0 ? 0 : Math.round(performance.now() - this.#startedAt),
      lastEnd: this.#lastEnd,
    }
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted
  }

  /** Whether `plan` asks for what this one is already. */
  isFor(plan: DaemonPlan): boolean {
    return isDeepStrictEqual(plan, this.plan)
  }

  /** Resolves when it is ready; rejects with why it is not. It is kept alive either way. */
  async start(): Promise<void> {
    this.#life = this.#live().catch((error: unknown) => {
      this.#logger.error(`daemon ${this.plan.name}: ${said(error)}`, this.#fields)
      this.#over.abort()
    })
    const { name, startTimeoutMs } = this.plan
    const until = performance.now() + startTimeoutMs
    while (!this.#isReady) {
      const words = this.#lastWords.map((line) => `\n${line}`).join('')
      const end = this.#lastEnd === '' ? '' : ` (${this.#lastEnd})`
      // One that may end by itself has done what it was for.
      if (this.#isOver && this.#lastEnd === 'exit code 0') return
      if (this.#isOver) throw new Error(`daemon ${name} did not start${end}${words}`)
      if (performance.now() > until) {
        const seconds = startTimeoutMs / 1000
        throw new Error(`daemon ${name} was not ready within ${seconds} s${end}${words}`)
      }
      await delay(PROBE_EVERY_MS)
    }
  }

  /** Ends it with all that it has started. */
  async stop(hurry: boolean = false): Promise<void> {
    const { stopSignal, stopTimeoutMs } = this.plan
    this.#over.abort()
    await this.#process?.stop(stopSignal, hurry ? 0 : stopTimeoutMs)
    await this.#life
  }

  get #fields(): Record<string, string | number> {
    const pid = this.#process?.pid ?? 0
    return { daemon: this.plan.name, ...(pid === 0 ? {} : { pid }) }
  }

  /** Process after process, until it is over. */
  async #live(): Promise<void> {
    const { name, restart } = this.plan
    while (!this.#isOver) {
      const end = await this.#run()
      if (this.#isOver) return
      const failed = end.code !== 0
      const how = showEnd(end)
      const again = restart === 'always' || (restart === 'on-failure' && failed)
      if (!again) {
        this.#logger[failed ? 'error' : 'info'](`daemon ${name} ended (${how})`, this.#fields)
        return this.#over.abort()
      }
      const wait = this.#backoff.died(performance.now() - this.#startedAt)
      this.#restarts += 1
      this.#logger.warn(
        `daemon ${name} ended (${how}); started again ${afterWait(wait)}`,
        this.#fields,
      )
      if (this.#backoff.deaths === CIRCUIT_DEATHS) {
        const hint = failed ? '' : '; it has to stay in the foreground'
        this.#logger.error(
          `daemon ${name} keeps ending right after its start${hint}; see the lines above for why`,
          this.#fields,
        )
      }
      await delay(wait, this.#over.signal).catch(() => {})
    }
  }

  async #run(): Promise<End> {
    const { command, ready } = this.plan
    const pattern = ready.kind === 'log' ? new RegExp(ready.pattern, 'u') : null
    this.#lastWords = []
    this.#startedAt = performance.now()
    const process = new CommandProcess(command, this.#site, (line) => {
      this.#logger.info(line, this.#fields)
      if (this.#isReady) return
      this.#lastWords = [...this.#lastWords, line].slice(-LAST_WORDS)
      if (pattern?.test(line) === true) this.#becomeReady(process)
    })
    this.#process = process
    void this.#probe(process)
    const end = await process.ended
    this.#process = null
    this.#isReady = false
    this.#lastEnd = showEnd(end)
    return end
  }

  async #probe(process: CommandProcess): Promise<void> {
    const { ready } = this.plan
    if (ready.kind === 'log' || process.pid === 0) return
    while (this.#process === process && !this.#isOver) {
      if (ready.kind === 'started' || (await answersAt(ready))) return this.#becomeReady(process)
      await delay(PROBE_EVERY_MS)
    }
  }

  #becomeReady(process: CommandProcess): void {
    if (this.#process !== process || this.#isOver || this.#isReady) return
    this.#isReady = true
    this.#logger.info(`daemon ${this.plan.name} is ready`, this.#fields)
  }
}
