/** Reloads that were asked for: which of them are one, how each application's goes, and what came of them. */
import type { Commands, ReloadCommand } from './commands.ts'
import type { Generations } from './generations.ts'
import { briefly } from './load-failure.ts'
import type { Logger } from './logger.ts'
import type { SiteStatus } from './status.ts'

export class Reloads {
  readonly #logger: Logger
  readonly #commands: Commands
  readonly #generations: Generations
  readonly #counts = { succeeded: 0, failed: 0 }
  #last: SiteStatus['lastReload'] = null

  constructor(logger: Logger, commands: Commands, generations: Generations) {
    this.#logger = logger
    this.#commands = commands
    this.#generations = generations
  }

  get counts(): SiteStatus['reloads'] {
    return { ...this.#counts }
  }

  get last(): SiteStatus['lastReload'] {
    return this.#last
  }

  /**
   * One reload answers all of its kind that were asked for until now; the site's answers every other.
   * `replace` is the site's: it resolves with why the old one serves on, null when it does not.
   */
  async obey(first: ReloadCommand, replace: (why: string) => Promise<Error | null>): Promise<void> {
    const all = [first, ...this.#commands.takeReloads()]
    const whole = all.find(({ only }) => only === null)
    if (whole !== undefined) return this.#note(all, await replace(whole.why))
    for (const name of new Set(all.map(({ only }) => only?.app ?? ''))) {
      await this.#reloadApp(all.filter(({ only }) => only?.app === name))
    }
  }

  /** The same application, asked for once or several times. */
  async #reloadApp(all: readonly ReloadCommand[]): Promise<void> {
    const [{ why, only }] = all as [ReloadCommand, ...ReloadCommand[]]
    const { app = '', rolling } = only ?? {}
    const signal = this.#commands.stopRequested
    this.#logger.info(`reloading application ${app}: ${why}`, { app })
    const reloaded = async (): Promise<void> => {
      const { serving } = this.#generations
      const usual = serving.plan.apps[app]?.reload?.rolling === true
      await serving.reload(app, { rolling: rolling ?? usual, signal })
    }
    const failure = await reloaded().then(
      () => null,
      (error: Error) => error,
    )
    if (failure === null) this.#logger.info(`application ${app} is reloaded`, { app })
    else {
      this.#logger.error(
        `application ${app} was not reloaded, the site serves as before: ${briefly(failure)}`,
        { app },
      )
    }
    this.#note(all, failure, app)
  }

  /** Every application anew, one worker after the other; the site file is not read. */
  async roll(why: string): Promise<void> {
    const generation = this.#generations.current
    if (generation === null) return
    this.#logger.info(`reloading the applications one worker at a time: ${why}`)
    const how = { rolling: true, signal: this.#commands.stopRequested }
    for (const name of Object.keys(generation.plan.apps)) {
      await generation.reload(name, how).catch((error: Error) => {
        this.#logger.error(`application ${name} goes on as it was: ${briefly(error)}`)
      })
    }
  }

  /** The site has stopped: who still waits for one is told so. */
  refuseRest(): void {
    for (const command of this.#commands.takeReloads()) {
      this.#note([command], new Error('stopping'))
    }
  }

  #note(all: readonly ReloadCommand[], failure: Error | null, app = ''): void {
    const ok = failure === null
    const generation = this.#generations.current?.number ?? 0
    const whole = { ok, message: failure?.message ?? '', generation }
    const result = app === '' ? whole : { ...whole, app }
    this.#counts[ok ? 'succeeded' : 'failed'] += 1
    this.#last = { ...result, at: new Date().toISOString() }
    for (const { done } of all) done(result)
  }
}
