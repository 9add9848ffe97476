/** The daemons of a site over its reloads: what has not changed goes on untouched. */
import type { DaemonPlan } from '../site/background-plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import { orAborted } from '../supervisor/timers.ts'
import type { Credentials } from '../system/users.ts'
import { Daemon, type DaemonFacts } from './daemon.ts'

type Plans = Readonly<Record<string, DaemonPlan>>

export class Daemons {
  readonly #logger: Logger
  #site: Credentials | null = null
  #running = new Map<string, Daemon>()
  /** Started for a plan that has not taken over yet. */
  #added = new Map<string, Daemon>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get facts(): DaemonFacts[] {
    return [...this.#running.values()].map((daemon) => daemon.facts)
  }

  /** Starts those that are new in `plans`; rejects when one is not ready in its time. */
  async prepare(plans: Plans, site: Credentials | null): Promise<void> {
    this.#site = site
    for (const plan of Object.values(plans)) {
      if (!this.#running.has(plan.name)) this.#added.set(plan.name, this.#create(plan))
    }
    const starts = await Promise.allSettled([...this.#added.values()].map((one) => one.start()))
    for (const start of starts) if (start.status === 'rejected') throw start.reason
  }

  /** The plans have taken over: what was changed is started anew, what is gone ends. */
  async commit(plans: Plans): Promise<void> {
    for (const [name, daemon] of this.#added) this.#running.set(name, daemon)
    this.#added = new Map()
    const others = [...this.#running].filter(([name, one]) => {
      const plan = plans[name]
      return plan === undefined || !one.isFor(plan)
    })
    await Promise.all(
      others.map(async ([name, before]) => {
        const plan = plans[name]
        const next = plan === undefined ? null : this.#create(plan)
        if (next === null) this.#running.delete(name)
        else this.#running.set(name, next)
        await before.stop()
        // Stopped meanwhile, or reloaded again.
        if (next === null || this.#running.get(name) !== next) return
        this.#logger.info(`daemon ${name} has changed; started anew`, { daemon: name })
        await next.start().catch((error: unknown) => this.#complain(error, name))
      }),
    )
  }

  /** The plans that were prepared do not take over. */
  async abandon(): Promise<void> {
    const added = [...this.#added.values()]
    this.#added = new Map()
    await Promise.all(added.map((daemon) => daemon.stop()))
  }

  /** At once when `hurry` is aborted. */
  async stop(hurry: AbortSignal): Promise<void> {
    const all = [...this.#running.values(), ...this.#added.values()]
    const stopped = Promise.all(all.map((daemon) => daemon.stop(hurry.aborted)))
    await orAborted(stopped, hurry).catch(() => Promise.all(all.map((daemon) => daemon.stop(true))))
    this.#running = new Map()
    this.#added = new Map()
  }

  #create(plan: DaemonPlan): Daemon {
    return new Daemon(plan, this.#site, this.#logger)
  }

  #complain(error: unknown, daemon: string): void {
    this.#logger.error(error instanceof Error ? error.message : String(error), { daemon })
  }
}
