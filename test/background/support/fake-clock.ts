/** A clock that a test moves, and a task's surroundings. */

import type { Clock } from '../../../src/background/clock.ts'
import { type Begin, type Outcome, Task, type TaskKind } from '../../../src/background/task.ts'
import type { TaskPlan } from '../../../src/site/background-plan.ts'
import { createLogger, type Logger } from '../../../src/supervisor/logger.ts'

export class FakeClock implements Clock {
  #wall: number
  #elapsed = 0
  #alarms = new Map<number, { readonly when: number; readonly call: () => void }>()
  #next = 0

  constructor(start: string) {
    this.#wall = Date.parse(start)
  }

  now(): number {
    return this.#wall
  }

  elapsed(): number {
    return this.#elapsed
  }

  after(ms: number, call: () => void): () => void {
    const id = this.#next++
    this.#alarms.set(id, { when: this.#elapsed + ms, call })
    return () => this.#alarms.delete(id)
  }

  get alarms(): number {
    return this.#alarms.size
  }

  /** Lets time pass, alarm by alarm. */
  pass(ms: number): void {
    const end = this.#elapsed + ms
    for (;;) {
      const due = [...this.#alarms].sort(([, a], [, b]) => a.when - b.when)[0]
      if (due === undefined || due[1].when > end) break
      const [id, { when, call }] = due
      this.#move(when - this.#elapsed)
      this.#alarms.delete(id)
      call()
    }
    this.#move(end - this.#elapsed)
  }

  #move(ms: number): void {
    this.#elapsed += ms
    this.#wall += ms
  }

  /** The wall clock leaps, as when the machine slept or somebody set it. */
  leap(ms: number): void {
    this.#wall += ms
  }
}

export const second = 1_000
export const minute: number = 60 * second
export const hour: number = 60 * minute
export const day: number = 24 * hour

export class Log {
  readonly lines: Record<string, unknown>[] = []
  readonly logger: Logger = createLogger(
    { write: (text) => this.lines.push(JSON.parse(text)) },
    { format: 'json', colours: false, level: 'debug' },
  )

  /** Messages of that level. */
  of(level: string): unknown[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.message)
  }
}

export function taskPlan(change: Partial<TaskPlan> = {}): TaskPlan {
  return {
    name: 'task',
    action: { kind: 'reload', app: '' },
    timeoutMs: 0,
    overlap: 'skip',
    ...change,
  }
}

/** A task whose runs a test ends. */
export class FakeRuns {
  readonly begun: { readonly why: string; end(outcome?: Outcome): Promise<void> }[] = []
  readonly clock: FakeClock
  readonly log: Log = new Log()
  stopped = 0

  constructor(clock: FakeClock) {
    this.clock = clock
  }

  readonly begin: Begin = (_plan, output) => {
    let resolve: (outcome: Outcome) => void = () => {}
    const done = new Promise<Outcome>((settle) => {
      resolve = settle
    })
    this.begun.push({
      why: output.id,
      end: async (outcome = { ok: true, how: 'exit code 0' }) => {
        output.line('said')
        resolve(outcome)
        await new Promise(setImmediate)
      },
    })
    return {
      done,
      stop: async () => {
        this.stopped += 1
        resolve({ ok: false, how: 'SIGTERM' })
      },
    }
  }

  task(plan: TaskPlan = taskPlan(), kind: TaskKind = 'cron'): Task {
    const { begin, clock } = this
    return new Task(plan, { kind, app: '', begin, logger: this.log.logger, clock })
  }
}
