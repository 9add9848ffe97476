/**
 * Everything of a site that has its time: tasks, and what tells them. A new plan is laid over the old one:
 * what is unchanged goes on untouched, so that nothing is run twice or forgotten because of a reload.
 */
import { isDeepStrictEqual } from 'node:util'
import type { BackgroundPlan, CronPlan, TimerPlan, WatchPlan } from '../site/background-plan.ts'
import { showDuration } from '../site/units.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { Clock } from './clock.ts'
import { CronEntry } from './cron.ts'
import type { CronMemory } from './cron-memory.ts'
import type { DeclaredSignal, Declares } from './declares.ts'
import { type Begin, type LastRun, Task, type TaskFacts, type TaskKind } from './task.ts'
import { Timer } from './timers.ts'
import { FileWatch } from './watch-files.ts'

export interface SchedulesOptions {
  readonly begin: Begin
  readonly logger: Logger
  readonly clock: Clock
  readonly memory: CronMemory
  readonly random: () => number
}

export interface ScheduleFacts extends TaskFacts {
  /** `30 2 * * * Europe/Berlin`, `every 30s`: when it runs, for people. */
  readonly when: string
  /** ISO 8601; '' when nobody knows. */
  readonly next: string
}

type Wanted =
  | { readonly kind: 'cron'; readonly app: string; readonly plan: CronPlan }
  | { readonly kind: 'timer'; readonly app: string; readonly plan: TimerPlan }
  | { readonly kind: 'watch'; readonly app: string; readonly plan: WatchPlan }
  | { readonly kind: 'signal'; readonly app: string; readonly plan: DeclaredSignal }

/** What tells a task; a signal comes from elsewhere. */
type Bell = CronEntry | Timer | FileWatch | null

interface Scheduled {
  readonly wanted: Wanted
  readonly task: Task
  readonly bell: Bell
}

export class Schedules {
  readonly #options: SchedulesOptions
  #entries = new Map<string, Scheduled>()
  /** No longer wanted, but a run of it goes on. */
  readonly #leaving = new Map<string, Task>()

  constructor(options: SchedulesOptions) {
    this.#options = options
  }

  /** From now on this, and nothing else. */
  apply(plan: BackgroundPlan, declared: ReadonlyMap<string, Declares>): void {
    const before = this.#entries
    this.#entries = new Map()
    for (const wanted of [...ofSite(plan), ...ofApps(declared)]) {
      const key = keyOf(wanted.kind, wanted.app, wanted.plan.name)
      if (this.#entries.has(key)) {
        const { name } = wanted.plan
        this.#options.logger.warn(`${wanted.app} declares ${name} twice; the first one counts`, {
          app: wanted.app,
        })
        continue
      }
      this.#entries.set(key, this.#schedule(key, wanted, before.get(key)))
      before.delete(key)
    }
    for (const [key, { task, bell }] of before) {
      bell?.stop()
      this.#leave(key, task)
    }
  }

  get facts(): ScheduleFacts[] {
    return [...this.#entries.values()].map(({ wanted, task, bell }) => {
      const next = bell === null || bell instanceof FileWatch ? null : bell.next
      const at = next === null ? '' : new Date(next).toISOString()
      return { ...task.facts, when: showWhen(wanted), next: at }
    })
  }

  /**
   * Tasks of that name; the name may have its application before it, and be that of the function alone:
   * `shop/shop.tasks:clean`, `shop/clean`, `clean`.
   */
  find(name: string): Task[] {
    const named = (nameOf: (full: string) => string): Task[] =>
      [...this.#entries.values()]
        .filter(({ wanted: { app, plan } }) => {
          const own = nameOf(plan.name)
          return own === name || `${app}/${own}` === name
        })
        .map(({ task }) => task)
    const exact = named((full) => full)
    return exact.length > 0 ? exact : named((full) => full.slice(full.lastIndexOf(':') + 1))
  }

  /** Runs what waits for that signal. */
  signal(name: string): Promise<LastRun | null>[] {
    return [...this.#entries.values()].flatMap(({ wanted, task }) =>
      wanted.kind === 'signal' && wanted.plan.signal === name
        ? [task.due(`signal ${name}`) ?? Promise.resolve(null)]
        : [],
    )
  }

  get hasSignals(): boolean {
    return [...this.#entries.values()].some(({ wanted }) => wanted.kind === 'signal')
  }

  heard(id: string, text: string): boolean {
    return this.#tasks.some((task) => task.heard(id, text))
  }

  /** Nothing begins any more; what runs goes on. */
  stop(): void {
    for (const { bell, task } of this.#entries.values()) {
      bell?.stop()
      task.retire()
    }
  }

  /** Resolves when nothing runs. */
  async settled(): Promise<void> {
    await Promise.all(this.#tasks.map((task) => task.settled()))
  }

  async kill(): Promise<void> {
    this.stop()
    await Promise.all(this.#tasks.map((task) => task.kill()))
  }

  get #tasks(): Task[] {
    return [...[...this.#entries.values()].map(({ task }) => task), ...this.#leaving.values()]
  }

  #schedule(key: string, wanted: Wanted, before: Scheduled | undefined): Scheduled {
    if (before !== undefined && isDeepStrictEqual(before.wanted, wanted)) return before
    const task = before?.task ?? this.#leaving.get(key) ?? this.#newTask(wanted)
    this.#leaving.delete(key)
    task.plan = wanted.plan
    before?.bell?.stop()
    return { wanted, task, bell: this.#hang(wanted, task, before?.bell ?? null) }
  }

  #newTask({ kind, app, plan }: Wanted): Task {
    const { begin, logger, clock } = this.#options
    return new Task(plan, { kind, app, begin, logger, clock })
  }

  #hang(wanted: Wanted, task: Task, before: Bell): Bell {
    const { clock, logger, random } = this.#options
    switch (wanted.kind) {
      case 'cron':
        return new CronEntry(
          wanted.app === '' ? wanted.plan.name : `${wanted.app}/${wanted.plan.name}`,
          wanted.plan,
          task,
          this.#options,
          before instanceof CronEntry ? before : null,
        )
      case 'timer':
        return new Timer(wanted.plan, task, clock, random, before instanceof Timer ? before : null)
      case 'watch':
        return new FileWatch(wanted.plan, task, logger, clock)
      case 'signal':
        return null
    }
  }

  #leave(key: string, task: Task): void {
    task.retire()
    if (!task.isRunning) return
    this.#leaving.set(key, task)
    void task.settled().then(() => {
      if (this.#leaving.get(key) === task) this.#leaving.delete(key)
    })
  }
}

function keyOf(kind: TaskKind, app: string, name: string): string {
  return `${kind}\n${app}\n${name}`
}

function ofSite({ cron, timers, watch }: BackgroundPlan): Wanted[] {
  return [
    ...cron.map((plan) => ({ kind: 'cron', app: '', plan }) as const),
    ...timers.map((plan) => ({ kind: 'timer', app: '', plan }) as const),
    ...watch.map((plan) => ({ kind: 'watch', app: '', plan }) as const),
  ]
}

function ofApps(declared: ReadonlyMap<string, Declares>): Wanted[] {
  return [...declared].flatMap(([app, { cron, timers, watch, signals }]) => [
    ...cron.map((plan) => ({ kind: 'cron', app, plan }) as const),
    ...timers.map((plan) => ({ kind: 'timer', app, plan }) as const),
    ...watch.map((plan) => ({ kind: 'watch', app, plan }) as const),
    ...signals.map((plan) => ({ kind: 'signal', app, plan }) as const),
  ])
}

function showWhen(wanted: Wanted): string {
  switch (wanted.kind) {
    case 'cron':
      return `${wanted.plan.at} ${wanted.plan.zone}`.trimEnd()
    case 'timer':
      return `every ${showDuration(wanted.plan.everyMs)}`
    case 'watch':
      return wanted.plan.files.join(' ')
    case 'signal':
      return `signal ${wanted.plan.signal}`
  }
}
