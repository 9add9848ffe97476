/**
 * Something that is run now and then, whoever says when: at most one run at a time unless its owner
 * wants otherwise, an id for each run, and what came of the last one. A task outlives reloads; its plan
 * may change meanwhile.
 */
import type { Overlap, TaskPlan } from '../site/background-plan.ts'
import type { Fields, Logger } from '../supervisor/logger.ts'
import type { Clock } from './clock.ts'

/** With `overlap: allow`, runs at a time; more are left out. */
const MOST_AT_ONCE = 32
/** With `overlap: queue`, runs that wait; more are left out. One sees all that has changed in files. */
const MOST_WAITING: Readonly<Record<TaskKind, number>> = {
  cron: 32,
  timer: 32,
  watch: 1,
  signal: 32,
}
/** Of a failed run's output, lines in the log's message. */
const LAST_LINES = 10

export type TaskKind = 'cron' | 'timer' | 'watch' | 'signal'

export interface Outcome {
  readonly ok: boolean
  /** For people: `exit code 1`, `SIGKILL`, `timed out after 5s`, `200`. */
  readonly how: string
}

/** A run that has begun. */
export interface Run {
  readonly done: Promise<Outcome>
  /** Ends it; `done` resolves soon. */
  stop(): Promise<void>
}

/** Where the output of a run goes. */
export interface RunOutput {
  readonly id: string
  /** Takes a line into the log. */
  readonly line: (text: string) => void
}

/** Begins to do what `plan` says. Failures are told by the Run. */
export type Begin = (plan: TaskPlan, output: RunOutput) => Run

export interface LastRun {
  readonly id: string
  readonly startedAt: string
  readonly ms: number
  readonly ok: boolean
  readonly how: string
}

export interface TaskFacts {
  readonly kind: TaskKind
  readonly name: string
  /** Of the application whose code declares it; '' for the site's own. */
  readonly app: string
  /** Ids of the runs that go on. */
  readonly running: readonly string[]
  readonly waiting: number
  readonly runs: number
  readonly failures: number
  /** Left out because the last one still ran. */
  readonly skipped: number
  readonly last: LastRun | null
}

export interface TaskOptions {
  readonly kind: TaskKind
  /** '' for the site's own. */
  readonly app: string
  readonly begin: Begin
  readonly logger: Logger
  readonly clock: Clock
}

interface Current {
  readonly run: Run
  readonly result: Promise<LastRun>
}

let stamp = Date.now()

/** Tells runs apart, over restarts as well. */
function newId(): string {
  stamp = Math.max(stamp + 1, Date.now())
  return stamp.toString(36)
}

export class Task {
  readonly #options: TaskOptions
  readonly #running = new Map<string, Current>()
  readonly #keepers = new Map<string, (text: string) => void>()
  #plan: TaskPlan
  #waiting: string[] = []
  #runs = 0
  #failures = 0
  #skipped = 0
  #last: LastRun | null = null
  #ended = false

  constructor(plan: TaskPlan, options: TaskOptions) {
    this.#plan = plan
    this.#options = options
  }

  /** From the next run on; one that was retired is back. */
  set plan(plan: TaskPlan) {
    this.#plan = plan
    this.#ended = false
  }

  /** A line of run `id` has come to the log on a way of its own: true when it is one of ours. */
  heard(id: string, text: string): boolean {
    const keep = this.#keepers.get(id)
    keep?.(text)
    return keep !== undefined
  }

  get isRunning(): boolean {
    return this.#running.size > 0
  }

  get facts(): TaskFacts {
    return {
      kind: this.#options.kind,
      name: this.#plan.name,
      app: this.#options.app,
      running: [...this.#running.keys()],
      waiting: this.#waiting.length,
      runs: this.#runs,
      failures: this.#failures,
      skipped: this.#skipped,
      last: this.#last,
    }
  }

  /** Its time has come, because of `why`. Null when this run is left out or has to wait. */
  due(why: string): Promise<LastRun> | null {
    if (this.#ended) return null
    const { overlap, name } = this.#plan
    const { kind } = this.#options
    if (this.#mayRun(overlap)) return this.#start(why)
    if (overlap === 'queue') {
      if (this.#waiting.length < MOST_WAITING[kind]) {
        this.#waiting.push(why)
        return null
      }
      if (kind === 'watch') return null
    }
    this.#skipped += 1
    const ids = [...this.#running.keys()].join(', ')
    this.#options.logger.warn(`${name} is left out this time: run ${ids} still goes on`, {
      task: name,
    })
    return null
  }

  /** Ends for good: nothing starts any more; what runs goes on until `kill`, or its end. */
  retire(): void {
    this.#ended = true
    this.#waiting = []
  }

  /** Resolves when nothing of it runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.all([...this.#running.values()].map(({ result }) => result))
    }
  }

  async kill(): Promise<void> {
    this.retire()
    await Promise.all([...this.#running.values()].map(({ run }) => run.stop()))
    await this.settled()
  }

  #mayRun(overlap: Overlap): boolean {
    return this.#running.size < (overlap === 'allow' ? MOST_AT_ONCE : 1)
  }

  #start(why: string): Promise<LastRun> {
    const { begin, logger, clock, app } = this.#options
    const plan = this.#plan
    const id = newId()
    const fields: Fields = { task: plan.name, run: id, ...(app === '' ? {} : { app }) }
    const lines: string[] = []
    const keep = (text: string): void => {
      lines.push(text)
      if (lines.length > LAST_LINES) lines.shift()
    }
    this.#keepers.set(id, keep)
    logger.debug(`${plan.name} begins: ${why}`, fields)
    const startedAt = new Date(clock.now()).toISOString()
    const began = clock.elapsed()
    const line = (text: string): void => {
      logger.info(text, fields)
      keep(text)
    }
    const run = begin(plan, { id, line })
    const result = run.done.then(({ ok, how }) => {
      const ms = Math.round(clock.elapsed() - began)
      const last = { id, startedAt, ms, ok, how }
      this.#running.delete(id)
      this.#keepers.delete(id)
      this.#last = last
      this.#runs += 1
      if (ok) logger.debug(`${plan.name} is done (${how}, ${ms} ms)`, fields)
      else {
        this.#failures += 1
        const words = lines.map((line) => `\n${line}`).join('')
        logger.error(`${plan.name} failed: ${how}, after ${ms} ms${words}`, fields)
      }
      this.#next()
      return last
    })
    this.#running.set(id, { run, result })
    return result
  }

  #next(): void {
    if (this.#ended || !this.#mayRun(this.#plan.overlap)) return
    const why = this.#waiting.shift()
    if (why !== undefined) this.#start(why)
  }
}
