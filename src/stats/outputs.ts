/** Where figures are told beside the admin socket. What a reload does not change goes on. */
import type { StatsdPlan, StatsPlan } from '../site/plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { RequestsStatus, SiteStatus } from '../supervisor/status.ts'

/** What is to be told. */
export interface Figures {
  status(): Promise<SiteStatus>
  requests(most: number): Promise<RequestsStatus>
}

interface Output {
  close(): void
}

export class Outputs {
  readonly #logger: Logger
  readonly #figures: Figures
  #plan: StatsPlan = { uwsgi: null, statsd: null }
  #uwsgi: Promise<Output | null> = Promise.resolve(null)
  #statsd: Promise<Output | null> = Promise.resolve(null)

  constructor(logger: Logger, figures: Figures) {
    this.#logger = logger
    this.#figures = figures
  }

  /** Begins what is new in `plan`, ends what it does not have. */
  use(plan: StatsPlan): void {
    const before = this.#plan
    this.#plan = plan
    if (differ(before.uwsgi, plan.uwsgi)) {
      this.#uwsgi = this.#uwsgi.then((old) => {
        old?.close()
        return this.#openUwsgi(plan)
      })
    }
    if (differ(before.statsd, plan.statsd)) {
      this.#statsd = this.#statsd.then((old) => {
        old?.close()
        return plan.statsd === null ? null : this.#openStatsd(plan.statsd)
      })
    }
  }

  close(): void {
    this.use({ uwsgi: null, statsd: null })
  }

  /** A site is served without it, too. */
  async #openUwsgi({ uwsgi }: StatsPlan): Promise<Output | null> {
    if (uwsgi === null) return null
    const { openUwsgiStats } = await import('./uwsgi-socket.ts')
    try {
      return await openUwsgiStats(uwsgi, this.#figures, this.#logger)
    } catch (error) {
      this.#logger.error(`stats.uwsgi: ${error instanceof Error ? error.message : error}`)
      return null
    }
  }

  async #openStatsd(plan: StatsdPlan): Promise<Output> {
    const { pushStatsd } = await import('./statsd-push.ts')
    return pushStatsd(plan, this.#figures)
  }
}

function differ(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) !== JSON.stringify(other)
}
