/**
 * Tells tasks that their time of day has come. Each entry has one alarm; what passed while nobody could
 * look (the site was down, the machine slept) is left out or made up for once, as its owner wants.
 */
import type { CronPlan } from '../site/background-plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { Clock } from './clock.ts'
import { type CronExpression, nextRun, parseCron } from './cron-expression.ts'
import type { CronMemory } from './cron-memory.ts'
import type { Task } from './task.ts'

/** A machine that slept, or a clock that was set, is noticed within this long, ms. */
const LONGEST_NAP_MS = 15_000
/** Later than this counts as missed, ms. */
const MISSED_MS = 60_000
/** A clock that was set back by more than this was wrong before; runs begin anew from what it shows now. */
const SET_BACK_MS = 3 * 3_600_000

export interface CronOptions {
  readonly clock: Clock
  readonly memory: CronMemory
  readonly logger: Logger
  /** From 0 to less than 1. */
  readonly random: () => number
}

/** One line of a crontab. */
export class CronEntry {
  readonly plan: CronPlan
  readonly #key: string
  readonly #task: Task
  readonly #options: CronOptions
  readonly #expression: CronExpression
  /** Everything until then has been seen to. */
  #since: number
  #due: number | null = null
  /** `#due`, late by its jitter. */
  #when = 0
  #cancel: () => void = () => {}

  /** `key` is what it is remembered by. Its alarm is set: what was missed before is made up for at once where it is to be. */
  constructor(
    key: string,
    plan: CronPlan,
    task: Task,
    options: CronOptions,
    before: CronEntry | null = null,
  ) {
    this.#key = key
    this.plan = plan
    this.#task = task
    this.#options = options
    this.#expression = parseCron(plan.at)
    const now = options.clock.now()
    const sameTimes =
      before !== null && before.plan.at === plan.at && before.plan.zone === plan.zone
    const remembered = plan.missed === 'once' ? options.memory.get(key, plan) : null
    this.#since = sameTimes ? before.#since : Math.min(remembered ?? now, now)
    if (plan.missed === 'once' && remembered === null) options.memory.set(key, plan, this.#since)
    this.#arm()
  }

  /** ms since 1970; null when it will never be. */
  get next(): number | null {
    return this.#due
  }

  stop(): void {
    this.#cancel()
  }

  #arm(): void {
    const { zone, jitterMs } = this.plan
    this.#due = nextRun(this.#expression, this.#since, zone)
    if (this.#due === null) return
    this.#when = this.#due + Math.floor(this.#options.random() * jitterMs)
    this.#wait()
  }

  #wait(): void {
    const { clock } = this.#options
    const left = Math.max(0, this.#when - clock.now())
    this.#cancel = clock.after(Math.min(left, LONGEST_NAP_MS), () => this.#look())
  }

  #look(): void {
    const now = this.#options.clock.now()
    if (now >= this.#when) {
      this.#ring(now)
      return this.#arm()
    }
    const back = this.#since - now
    // What runs at a time of day must not run again because a clock is corrected by a little.
    if (back <= 0 || (back <= SET_BACK_MS && !this.#expression.isFrequent)) return this.#wait()
    this.#since = now
    this.#arm()
  }

  #ring(now: number): void {
    const { memory, logger } = this.#options
    const { name, at, missed } = this.plan
    this.#since = now
    if (missed === 'once') memory.set(this.#key, this.plan, now)
    if (now - this.#when <= MISSED_MS) return void this.#task.due(`cron ${at}`)
    const time = new Date(this.#when).toISOString()
    if (missed === 'once') this.#task.due(`cron ${at}, missed at ${time}`)
    else logger.warn(`${name} was missed at ${time}; it is left out`, { task: name })
  }
}
