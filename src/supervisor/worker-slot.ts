/** One place for a worker: which process fills it now, and when the next one may. */
import type { FromParent } from '../runtimes/runtime.ts'
import { Backoff, CIRCUIT_DEATHS } from './backoff.ts'
import type { Logger } from './logger.ts'
import { type LastRestart, type RestartCounts, Restarts } from './restarts.ts'

/**
 * Shorter lives than this are failed starts, ms. It is short on purpose: a worker that dies of what a
 * visitor sent must be back at once, or that visitor could keep the site down.
 */
const YOUNG_MS = 150

/**
 * A worker whose application refused to start exits with this code (sysexits.h: EX_CONFIG) and has
 * logged why. However long it took, that was no life.
 */
const START_FAILED = 78

/** A fork takes milliseconds; a parent that needs longer than this hangs. */
const FORK_TIMEOUT_MS = 10_000

const signalNames: Readonly<Record<number, string>> = {
  6: 'SIGABRT',
  7: 'SIGBUS',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
}

export interface WorkerFacts {
  readonly slot: number
  readonly pid: number
  readonly restarts: number
  /** Why the last of these was; null: there was none. */
  readonly lastRestart: LastRestart | null
  readonly uptimeMs: number
}

/** What a slot asks of its application. */
export interface SlotActions {
  fork(): void
  /** The parent did not answer the last `fork`. */
  overdue(): void
}

export class WorkerSlot {
  readonly #slot: number
  readonly #app: string
  readonly #logger: Logger
  readonly #actions: SlotActions
  readonly #backoff = new Backoff({ youngMs: YOUNG_MS, firstMs: 100, longestMs: 5_000 })
  #pid = 0
  #startedAt = 0
  readonly #restarts = new Restarts()
  #timer: NodeJS.Timeout | undefined
  /** It is about to be killed: no second report counts. */
  doomed = false

  constructor(slot: number, app: string, logger: Logger, actions: SlotActions) {
    this.#slot = slot
    this.#app = app
    this.#logger = logger
    this.#actions = actions
  }

  /** 0: nobody yet. */
  get pid(): number {
    return this.#pid
  }

  get restarts(): number {
    return this.#restarts.total
  }

  /** Why there were restarts. */
  get reasons(): RestartCounts {
    return this.#restarts.counts
  }

  get isDyingYoung(): boolean {
    return this.#backoff.deaths >= CIRCUIT_DEATHS
  }

  get facts(): WorkerFacts {
    const uptimeMs = Math.round(performance.now() - this.#startedAt)
    const { total: restarts, last: lastRestart } = this.#restarts
    return { slot: this.#slot, pid: this.#pid, restarts, lastRestart, uptimeMs }
  }

  /** Asks the warm parent for a worker. */
  spawn(): void {
    this.#actions.fork()
    this.#timer = setTimeout(() => this.#actions.overdue(), FORK_TIMEOUT_MS)
  }

  spawned(pid: number): void {
    clearTimeout(this.#timer)
    this.#pid = pid
    this.#startedAt = performance.now()
    this.doomed = false
  }

  exited(death: Extract<FromParent, { type: 'exited' }>, expected: boolean): void {
    this.#pid = 0
    if (expected) return
    const unborn = death.code === START_FAILED
    const wait = this.#backoff.died(unborn ? 0 : performance.now() - this.#startedAt)
    const how =
      death.signal === null
        ? `exit code ${death.code}`
        : (signalNames[death.signal] ?? `signal ${death.signal}`)
    const cause = unborn ? 'start' : death.signal === null ? 'exit' : 'signal'
    this.#restarts.count(this.doomed ? 'deadline' : cause, how)
    const what = unborn ? 'worker did not start' : `worker died (${how})`
    const again = wait === 0 ? 'replaced at once' : `the next one starts in ${wait} ms`
    this.#logger.warn(`${what}; ${again}`, { app: this.#app, pid: death.pid })
    if (this.#backoff.deaths === CIRCUIT_DEATHS) {
      this.#logger.error(
        `workers of ${this.#app} keep dying right after their start; see the lines above for why`,
        { app: this.#app },
      )
    }
    if (wait === 0) this.spawn()
    else this.#timer = setTimeout(() => this.spawn(), wait)
  }

  /** The warm parent is gone, and every worker with it. */
  forget(): void {
    clearTimeout(this.#timer)
    this.#pid = 0
  }

  /** Nobody takes this place any more. */
  stop(): void {
    clearTimeout(this.#timer)
  }
}
