/**
 * Until when each cron entry has been seen to, in a file of the site's own, so that what a stopped site
 * misses can be made up for. A disk that takes nothing costs that alone, and is told once.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CronPlan } from '../site/background-plan.ts'
import type { Logger } from '../supervisor/logger.ts'

/** What has not run for so long is no longer there, or will never be missed, ms. */
const FORGOTTEN_MS = 400 * 86_400_000

export interface CronMemory {
  /** ms since 1970; null for an entry that is new, or has other times than before. */
  get(key: string, plan: CronPlan): number | null
  set(key: string, plan: CronPlan, since: number): void
}

interface Remembered {
  readonly at: string
  readonly zone: string
  readonly since: number
}

/** `folder` is created with the first entry. */
export class CronFile implements CronMemory {
  readonly #folder: string
  readonly #logger: Logger
  #entries: Map<string, Remembered> | null = null
  #hasComplained = false

  constructor(folder: string, logger: Logger) {
    this.#folder = folder
    this.#logger = logger
  }

  get(key: string, plan: CronPlan): number | null {
    const entry = this.#read().get(key)
    return entry?.at === plan.at && entry.zone === plan.zone ? entry.since : null
  }

  set(key: string, { at, zone }: CronPlan, since: number): void {
    this.#read().set(key, { at, zone, since })
    this.#write()
  }

  get #path(): string {
    return join(this.#folder, 'cron.json')
  }

  #read(): Map<string, Remembered> {
    this.#entries ??= new Map(Object.entries(this.#load()))
    return this.#entries
  }

  #load(): Record<string, Remembered> {
    try {
      const found: unknown = JSON.parse(readFileSync(this.#path, 'utf8'))
      if (typeof found === 'object' && found !== null) {
        const oldest = Date.now() - FORGOTTEN_MS
        return Object.fromEntries(
          Object.entries(found).filter(([, entry]) => isRemembered(entry) && entry.since > oldest),
        )
      }
      this.#logger.warn(`${this.#path} is not ours; missed runs are counted from now on`)
    } catch (error) {
      const isNew = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!isNew) this.#complain('read', error)
    }
    return {}
  }

  #write(): void {
    const temporary = `${this.#path}.new`
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      const text = JSON.stringify(Object.fromEntries(this.#read()), null, 1)
      // Never through a link that somebody else has put there.
      rmSync(temporary, { force: true })
      writeFileSync(temporary, `${text}\n`, { mode: 0o600, flag: 'wx' })
      // All or nothing, whenever we are killed.
      renameSync(temporary, this.#path)
      this.#hasComplained = false
    } catch (error) {
      this.#complain('written', error)
    }
  }

  #complain(what: string, error: unknown): void {
    if (this.#hasComplained) return
    this.#hasComplained = true
    const reason = error instanceof Error ? error.message : String(error)
    this.#logger.warn(
      `${this.#path} cannot be ${what}, so runs that are missed while the site is down may not be made up for: ${reason}; name another folder with \`state:\``,
    )
  }
}

function isRemembered(entry: unknown): entry is Remembered {
  if (typeof entry !== 'object' || entry === null) return false
  const { at, zone, since } = entry as Partial<Remembered>
  return typeof at === 'string' && typeof zone === 'string' && Number.isSafeInteger(since)
}
