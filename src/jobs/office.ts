/** Opens the desk when it is first asked for, and again, later, when that failed. */
import { hasRunners, type JobsPlan } from '../site/jobs-plan.ts'
import type { Desk } from './desk.ts'
import type { QueueFacts } from './engine.ts'
import { openDesk } from './open.ts'
import { Runner } from './runner.ts'
import { Tally } from './tally.ts'

/** An engine that could not be opened is not tried again before, ms. */
const AGAIN_MS = 2_000

/** A connection, as far as it is somebody who may leave. */
interface Leaver {
  onLeave(then: () => void): void
}

export class JobsOffice {
  plan: JobsPlan
  readonly #warn: (message: string) => void
  readonly #runners = new Map<string, readonly Runner[]>()
  readonly #watched = new WeakSet<Leaver>()
  #opening: Promise<Desk> | null = null
  #desk: Desk | null = null
  #tally: Tally | null = null
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
    this.#run()
  }

  /** Queues that programs work off do not wait for somebody who asks. */
  begin(): void {
    if (hasRunners(this.plan)) void this.desk().catch(() => {})
  }

  /** Those of the plan, and no others. */
  #run(): void {
    const desk = this.#desk
    if (desk === null || this.#closed) return
    const wanted = new Map(
      Object.entries(this.plan.queues)
        .filter(([, plan]) => plan.run.length > 0)
        .map(([queue, plan]) => [JSON.stringify([queue, plan]), { queue, plan }]),
    )
    for (const [key, runners] of this.#runners) {
      if (wanted.has(key)) continue
      for (const runner of runners) runner.stop()
      this.#runners.delete(key)
    }
    for (const [key, { queue, plan }] of wanted) {
      if (this.#runners.has(key)) continue
      const options = { queue, plan, longest: this.plan.payload, log: this.#warn }
      const runners = Array.from({ length: plan.workers }, () => new Runner(desk, options))
      this.#runners.set(key, runners)
    }
  }

  /** Of each queue, as it was a moment ago; none as long as nobody has used jobs. */
  async queues(): Promise<readonly QueueFacts[]> {
    const desk = this.#desk
    if (desk === null || this.#closed) return []
    this.#tally ??= new Tally(() => desk.records.queues())
    return this.#tally.latest()
  }

  /** Rejects with the JobError that keeps it from opening. */
  desk(): Promise<Desk> {
    this.#opening ??= this.#open()
    return this.#opening
  }

  async #open(): Promise<Desk> {
    try {
      this.#desk = await openDesk(this.plan, this.#warn)
      this.#run()
      return this.#desk
    } catch (error) {
      this.#warn(`jobs: ${error instanceof Error ? error.message : error}`)
      const timer = setTimeout(() => {
        this.#opening = null
        this.begin()
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
    for (const runner of [...this.#runners.values()].flat()) runner.stop()
    await this.#desk?.close()
  }
}
