/** Programs in applications' own code that are kept alive beside their workers: mules. */
import type { Logger } from '../supervisor/logger.ts'
import type { KeptRole } from '../supervisor/roles.ts'
import type { DeclaredRole } from './declares.ts'

/** How long one may finish what it has in hand when its application is reloaded, ms. */
const STOP_MS = 10_000

export interface MuleRole {
  readonly kind: 'mule'
  readonly target: string
  readonly declared: boolean
  /** For its lines in the log. */
  readonly task: string
  /** From 1, as uWSGI counts them. */
  readonly number: number
  readonly [fact: string]: unknown
}

/** Throws an Error with the reason where there are no such processes. */
export type Keep = (role: MuleRole) => KeptRole

export interface MuleFacts {
  readonly app: string
  readonly number: number
  readonly name: string
  /** 0: there is none now. */
  readonly pid: number
}

interface Mule {
  readonly name: string
  readonly role: MuleRole
  readonly kept: KeptRole
}

interface Stable {
  /** What they were started for: another generation has others. */
  readonly generation: number
  readonly mules: readonly Mule[]
}

export class Mules {
  readonly #logger: Logger
  readonly #stables = new Map<string, Stable>()
  /** For each application, what has to be over before the next may begin. */
  readonly #turns = new Map<string, Promise<void>>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get facts(): MuleFacts[] {
    return [...this.#stables].flatMap(([app, { mules }]) =>
      mules.map(({ name, role, kept }) => ({ app, number: role.number, name, pid: kept.pid })),
    )
  }

  /**
   * From now on `app` has these: the settings' `targets`, then what its code declares. Those of another
   * generation, or of another list, end first: no two of a kind run at a time.
   */
  apply(
    app: string,
    generation: number,
    targets: readonly string[],
    declared: readonly DeclaredRole[],
    keep: Keep,
  ): void {
    const roles = [
      ...targets.map((target) => ({ name: target, target, declared: false })),
      ...declared.map(({ key, name }) => ({ name, target: key, declared: true })),
    ]
    const turn = this.#turns.get(app) ?? Promise.resolve()
    const next = turn.then(async () => {
      const before = this.#stables.get(app)
      const same =
        before?.generation === generation &&
        before.mules.length === roles.length &&
        before.mules.every(({ role }, i) => role.target === roles[i]?.target)
      if (same) return
      await Promise.all((before?.mules ?? []).map(({ kept }) => kept.stop(STOP_MS)))
      const mules = roles.flatMap(({ name, target, declared }, index): Mule[] => {
        const role = { kind: 'mule', target, declared, task: name, number: index + 1 } as const
        try {
          return [{ name, role, kept: keep(role) }]
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          this.#logger.error(`mule ${name} of ${app} cannot run: ${reason}`, { app })
          return []
        }
      })
      if (mules.length === 0) this.#stables.delete(app)
      else this.#stables.set(app, { generation, mules })
    })
    this.#turns.set(app, next)
  }

  /** Those of applications that are no longer there went with them. */
  keepOnly(apps: ReadonlySet<string>): void {
    for (const app of this.#stables.keys()) if (!apps.has(app)) this.#stables.delete(app)
  }
}
