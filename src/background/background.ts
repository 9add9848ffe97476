/**
 * What a site does beside answering visitors, over all its reloads:
 *
 *     prepare (daemons that are new) ──► commit (the plan has taken over) ──► … ──► finish ──► end
 *                      └──► abandon (it has not)
 */
import type { SitePlan } from '../site/plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import { settledWithin } from '../supervisor/timers.ts'
import type { Credentials } from '../system/users.ts'
import { beginner, type SiteHands } from './actions.ts'
import { systemClock } from './clock.ts'
import { CronFile } from './cron-memory.ts'
import type { DaemonFacts } from './daemon.ts'
import { Daemons } from './daemons.ts'
import { type Declares, noDeclares, readDeclares } from './declares.ts'
import { type Keep, type MuleFacts, Mules } from './mules.ts'
import { type ScheduleFacts, Schedules } from './schedules.ts'
import type { LastRun } from './task.ts'

export interface BackgroundStatus {
  readonly tasks: readonly ScheduleFacts[]
  readonly daemons: readonly DaemonFacts[]
  readonly mules: readonly MuleFacts[]
}

export interface BackgroundOptions {
  readonly logger: Logger
  readonly site: () => SiteHands
  /** How `app` of the generation that serves keeps a mule. */
  readonly keep: (app: string, ...role: Parameters<Keep>) => ReturnType<Keep>
}

interface Serving {
  readonly plan: SitePlan
  readonly generation: number
}

export class Background {
  readonly #options: BackgroundOptions
  readonly #daemons: Daemons
  readonly #mules: Mules
  /** By generation and application. */
  readonly #declared = new Map<number, Map<string, Declares>>()
  #schedules: Schedules | null = null
  #memory: CronFile | null = null
  #serving: Serving | null = null
  #isOver = false

  constructor(options: BackgroundOptions) {
    this.#options = options
    this.#daemons = new Daemons(options.logger)
    this.#mules = new Mules(options.logger)
  }

  get status(): BackgroundStatus {
    return {
      tasks: this.#schedules?.facts ?? [],
      daemons: this.#daemons.facts,
      mules: this.#mules.facts,
    }
  }

  /** Starts the daemons that `plan` adds; rejects when one is not ready in its time. */
  prepare(plan: SitePlan, credentials: Credentials | null): Promise<void> {
    return this.#daemons.prepare(plan.background.daemons, credentials)
  }

  /** The plan that was prepared does not take over. */
  async abandon(generation: number): Promise<void> {
    this.#declared.delete(generation)
    await this.#daemons.abandon()
  }

  /** The plan has taken over. Resolves when changed daemons are ready. */
  commit(plan: SitePlan, generation: number): Promise<void> {
    if (this.#isOver) return Promise.resolve()
    this.#serving = { plan, generation }
    for (const number of this.#declared.keys()) {
      if (number < generation) this.#declared.delete(number)
    }
    this.#mules.keepOnly(new Set(Object.keys(plan.apps)))
    this.#apply()
    return this.#daemons.commit(plan.background.daemons)
  }

  /** What the code of `app` declares, as its warm parent in that generation has told. */
  declare(generation: number, app: string, told: unknown): void {
    const declares = readDeclares(told, app)
    for (const problem of declares.problems) {
      this.#options.logger.error(`${app} declares what cannot be: ${problem}`, { app })
    }
    const apps = this.#declared.get(generation) ?? new Map<string, Declares>()
    this.#declared.set(generation, apps.set(app, declares))
    if (this.#serving?.generation === generation && !this.#isOver) this.#apply()
  }

  /** A log that keeps what calls say in it for their tasks as well. */
  get listener(): Logger {
    const { logger } = this.#options
    return {
      ...logger,
      info: (message, fields) => {
        if (typeof fields?.run === 'string') this.#schedules?.heard(fields.run, message)
        logger.info(message, fields)
      },
    }
  }

  /** Runs a task now. Rejects when there is none, or several, of that name, or it runs already. */
  async run(name: string): Promise<LastRun> {
    const found = this.#schedules?.find(name) ?? []
    const [task, another] = found
    if (task === undefined) {
      const names = this.status.tasks.map((each) =>
        each.app === '' ? each.name : `${each.app}/${each.name}`,
      )
      const there = names.length === 0 ? 'there is none' : `there is ${names.join(', ')}`
      throw new Error(`no task ${name}; ${there}`)
    }
    if (another !== undefined) {
      const all = found.map(({ facts }) => `${facts.app}/${facts.name} (${facts.kind})`)
      throw new Error(`several tasks are called ${name}: ${all.join(', ')}; write app/name`)
    }
    const run = task.due('asked for')
    if (run === null) throw new Error(`${name} runs already; it is not begun again`)
    return run
  }

  /** Runs what waits for that signal. */
  signal(name: string): void {
    void this.#schedules?.signal(name)
  }

  /** Nothing begins any more; what runs has `timeoutMs` to finish. */
  async finish(timeoutMs: number): Promise<void> {
    this.#isOver = true
    if (this.#schedules === null) return
    this.#schedules.stop()
    await settledWithin(this.#schedules.settled(), timeoutMs)
  }

  /** Ends everything. */
  async end(hurry: AbortSignal): Promise<void> {
    this.#isOver = true
    await this.#schedules?.kill()
    await this.#daemons.stop(hurry)
  }

  #apply(): void {
    if (this.#serving === null) return
    const { plan, generation } = this.#serving
    const { logger, site, keep } = this.#options
    const declared = this.#declared.get(generation) ?? new Map<string, Declares>()
    this.#memory ??= new CronFile(plan.state, logger)
    this.#schedules ??= new Schedules({
      begin: beginner(site),
      logger,
      clock: systemClock,
      memory: this.#memory,
      random: Math.random,
    })
    this.#schedules.apply(plan.background, declared)
    for (const app of Object.values(plan.apps)) {
      const { mules } = declared.get(app.name) ?? noDeclares
      const targets = app.mules ?? []
      this.#mules.apply(app.name, generation, targets, mules, (role) => keep(app.name, role))
    }
  }
}
