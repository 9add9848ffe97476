/** Opens the desk when it is first asked for, and again, later, when that failed. */
import type { JobsPlan } from '../site/jobs-plan.ts'
import type { Desk } from './desk.ts'
import { openDesk } from './open.ts'

/** An engine that could not be opened is not tried again before, ms. */
const AGAIN_MS = 2_000

/** A connection, as far as it is somebody who may leave. */
interface Leaver {
  onLeave(then: () => void): void
}

export class JobsOffice {
  plan: JobsPlan
  readonly #warn: (message: string) => void
  readonly #watched = new WeakSet<Leaver>()
  #opening: Promise<Desk> | null = null
  #desk: Desk | null = null
  #closed = false

  constructor(plan: JobsPlan, warn: (message: string) => void) {
    this.plan = plan
    this.#warn = warn
  }

  /** After a reload: what can change while jobs run does. */
  change(plan: JobsPlan): void {
    const { engine, folder, size } = this.plan
    this.plan = { ...plan, engine, folder, size }
    this.#desk?.change(plan.queues)
  }

  /** Rejects with the JobError that keeps it from opening. */
  desk(): Promise<Desk> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open(): Promise<Desk> {
    try {
      this.#desk = await openDesk(this.plan, this.#warn)
      return this.#desk
    } catch (error) {
      this.#warn(`jobs: ${error instanceof Error ? error.message : error}`)
      const timer = setTimeout(() => {
        this.#opening = null
      }, AGAIN_MS)
      timer.unref()
      throw error
    }
  }

  /** What it has in hand when it leaves goes to others. */
  watch(worker: Leaver): void {
    if (this.#watched.has(worker)) return
    this.#watched.add(worker)
    worker.onLeave(() => this.#desk?.left(worker))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#opening?.catch(() => {})
    await this.#desk?.close()
  }
}
