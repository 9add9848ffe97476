/** The generation that serves, those before it that still finish what they have, and what the ended have counted. */
import type { ServerNumbers } from '../server/protocol.ts'
import { addNumbers } from '../stats/numbers.ts'
import type { Generation, GenerationStatus } from './generation.ts'
import { History } from './history.ts'
import type { Logger } from './logger.ts'
import { addSums, type RestartSums } from './restarts.ts'
import type { RunDir } from './run-dir.ts'
import {
  type AppStatus,
  addTotals,
  appStatuses,
  type RequestsStatus,
  type Totals,
} from './status.ts'

/** How often a draining generation's counters are read, so that none is lost with its process, ms. */
const DRAIN_POLL_MS = 1_000

/** Of all together; the state is that of the one which serves. */
export interface GenerationsStatus {
  readonly current: GenerationStatus | undefined
  readonly totals: Totals
  readonly numbers: ServerNumbers
  readonly apps: Readonly<Record<string, AppStatus>>
}

export class Generations {
  readonly #logger: Logger
  /** Those that were replaced, and their ends. */
  readonly #draining = new Map<Generation, Promise<void>>()
  #current: Generation | null = null
  /** Counts of generations that have ended. */
  #past = new History()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Null until the first. */
  get current(): Generation | null {
    return this.#current
  }

  /** Throws where there is none yet. */
  get serving(): Generation {
    if (this.#current === null) throw new Error('nothing is being served yet')
    return this.#current
  }

  /** First the one that serves. */
  get living(): Generation[] {
    return [this.#current, ...this.#draining.keys()].filter((one) => one !== null)
  }

  /** The numbers of those that finish what they have. */
  get draining(): number[] {
    return [...this.#draining.keys()].map(({ number }) => number)
  }

  /** It serves from now on; the one before it is to be drained. */
  serve(next: Generation): void {
    // Its counts are part of all figures until it has ended, and it ends with the site whatever happens.
    if (this.#current !== null) this.#draining.set(this.#current, Promise.resolve())
    this.#current = next
  }

  /** Has one that was replaced finish what it has in hand. */
  drain(old: Generation, runDir: RunDir): void {
    this.#draining.set(old, this.#finish(old, runDir))
  }

  async #finish(old: Generation, runDir: RunDir): Promise<void> {
    const poll = setInterval(() => void old.status(), DRAIN_POLL_MS)
    await old.drain(old.plan.timeouts.stopMs, true)
    clearInterval(poll)
    const over = await old.status()
    const now = await this.#current?.status()
    this.#past = this.#past.with(over, old.totals, now)
    this.#draining.delete(old)
    runDir.removeLinkDir(old.number)
    this.#logger.info(`generation ${old.number} has finished`)
  }

  /** Settles when those that drain now have finished. */
  async drained(): Promise<void> {
    await Promise.all(this.#draining.values())
  }

  /** At once: nothing survives. */
  async kill(): Promise<void> {
    await Promise.all(this.living.map((one) => one.kill()))
  }

  async status(): Promise<GenerationsStatus> {
    const { living } = this
    const past = this.#past
    const all = await Promise.all(living.map((one) => one.status()))
    const [current, ...draining] = all
    const plan = living[0]?.plan
    const totals = living.map((one) => one.totals).reduce(addTotals, past.totals)
    const numbers = all.map((one) => one.numbers).reduce(addNumbers, past.numbers)
    const beside = (app: string): RestartSums =>
      draining.flatMap(({ apps }) => apps[app] ?? []).reduce(addSums, past.restartsOf(app))
    const known = current !== undefined && plan !== undefined
    return {
      current,
      totals,
      numbers,
      apps: known ? appStatuses(current, numbers, beside, plan) : {},
    }
  }

  /** What is in hand, the oldest first. */
  async requests(most: number): Promise<RequestsStatus> {
    const all = await Promise.all(
      this.living.map(async (one) => ({ ...(await one.requests(most)), generation: one.number })),
    )
    const requests = all.flatMap(({ requests, generation }) =>
      requests.map((request) => ({ ...request, generation })),
    )
    return {
      total: all.reduce((sum, { total }) => sum + total, 0),
      requests: requests.sort((a, b) => b.ageMs - a.ageMs).slice(0, most),
    }
  }
}
