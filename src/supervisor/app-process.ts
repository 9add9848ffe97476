/**
 * One application: its warm parent and the workers forked from it.
 *
 *     start ──► starting ──loaded──► running ──┐ a worker exits: forked again, with back-off
 *                 ▲  │                 │   ◄───┘
 *                 │  └─failed, late──► │ broken    (stays so until the next reload)
 *                 └────────────────────┴─ the parent died or lied: all anew, with back-off
 */
import type { Death, FromParent, Role } from '../runtimes/runtime.ts'
import type { AppState, FromServer } from '../server/protocol.ts'
import type { AppLifetime } from './app-lifetime.ts'
import { Backoff, CIRCUIT_DEATHS } from './backoff.ts'
import { addRestarts, type RestartCounts } from './restarts.ts'
import { type KeptRole, type RoleEnd, type RoleFacts, Roles, refuseRole } from './roles.ts'
import { type ParentOptions, WarmParent } from './warm-parent.ts'
import { type WorkerFacts, WorkerSlot } from './worker-slot.ts'

/** A stuck worker writes its traceback before it is killed; Node's debugger has to be started for it. */
const TRACEBACK_MS = 150
const NODE_TRACEBACK_MS = 1_000
/** A parent that does not end a worker in this time is not in control of itself. */
const KILL_TIMEOUT_MS = 3_000
/** Parents that live shorter than this are restarted ever more slowly. */
const PARENT_YOUNG_MS = 5_000

export interface AppOptions extends ParentOptions {
  /** Told of every change. */
  readonly changed: (status: AppState) => void
}

/** Facts for `status`. */
export interface AppFacts {
  readonly state: AppState['state']
  readonly detail: string
  readonly version: string
  readonly parent: number
  readonly workers: readonly WorkerFacts[]
  readonly restarts: number
  /** Why, as far as that is known of each. */
  readonly reasons: RestartCounts
  /** What runs beside the workers; absent where there is no such thing. */
  readonly roles?: readonly RoleFacts[]
}

/** Slots of workers; those of roles are above. Twice as many as workers: who replaces one comes first. */
function workerSlots(workers: number): number {
  return 2 * workers
}

export class AppProcess implements AppLifetime {
  readonly #options: AppOptions
  readonly #slots: ReadonlyMap<number, WorkerSlot>
  readonly #roles: Roles
  readonly #backoff = new Backoff({ youngMs: PARENT_YOUNG_MS, firstMs: 100, longestMs: 5_000 })
  #status: AppState = { state: 'starting' }
  #parent: WarmParent | null = null
  #restartTimer: NodeJS.Timeout | undefined
  #version = ''
  #restarts = 0
  #stopping = false
  #hopeless = false
  #waiting: (() => void)[] = []

  constructor(options: AppOptions) {
    this.#options = options
    const { app, logger } = options
    this.#roles = new Roles(app.name, workerSlots(app.workers), logger)
    const slots = Array.from({ length: app.workers }, (_, slot) => {
      const fork = (): void => this.#parent?.spawn(slot)
      const overdue = (): void => this.#parent?.distrust(`it did not fork worker ${slot}`)
      return new WorkerSlot(slot, app.name, logger, { fork, overdue })
    })
    this.#slots = new Map(slots.map((slot, number) => [number, slot]))
  }

  get status(): AppState {
    return this.#status
  }

  /** It loads, but its workers do not live. */
  get isDyingYoung(): boolean {
    return [...this.#slots.values()].some((slot) => slot.isDyingYoung)
  }

  get facts(): AppFacts {
    const slots = [...this.#slots.values()]
    const workers = slots.filter((slot) => slot.pid !== 0).map((slot) => slot.facts)
    return {
      state: this.#status.state,
      detail: this.#status.state === 'broken' ? this.#status.detail : '',
      version: this.#version,
      parent: this.#parent?.pid ?? 0,
      workers,
      restarts: slots.reduce((sum, slot) => sum + slot.restarts, this.#restarts),
      reasons: addRestarts([
        ...slots.map((slot) => slot.reasons),
        this.#restarts === 0 ? {} : { parent: this.#restarts },
      ]),
      roles: this.#roles.facts,
    }
  }

  /** Starts the warm parent. What goes wrong is told through `changed` and the log. */
  start(): void {
    // Broken stays broken until it has loaded: meanwhile visitors get an answer and do not wait.
    if (this.#status.state !== 'broken') this.#change({ state: 'starting' })
    try {
      this.#parent = new WarmParent(this.#options, {
        loaded: (parent, message) => this.#loaded(parent, message),
        failed: (_parent, detail) => this.#break(detail),
        spawned: (parent, slot, pid) => this.#spawned(parent, slot, pid),
        exited: (parent, death) => this.#exited(parent, death),
        gone: (parent, how) => this.#parentGone(parent, how),
      })
    } catch (error) {
      this.#break(error instanceof Error ? error.message : String(error))
    }
  }

  /** Resolves once the application is broken, or running with a process in every slot. */
  async settled(): Promise<AppState> {
    while (!this.#isSettled()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.#status
  }

  #isSettled(): boolean {
    if (this.#status.state === 'starting') return this.#stopping
    return (
      this.#status.state === 'broken' || [...this.#slots.values()].every((slot) => slot.pid !== 0)
    )
  }

  #wake(): void {
    if (!this.#isSettled()) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #change(status: AppState): void {
    this.#status = status
    this.#options.changed(status)
    this.#wake()
  }

  /** For good: only a reload tries again. */
  #break(detail: string): void {
    const { app, logger } = this.#options
    this.#hopeless = true
    this.#roles.never('it did not load')
    logger.error(`application ${app.name} did not load: ${detail}`, { app: app.name })
    this.#change({ state: 'broken', detail })
  }

  #loaded(parent: WarmParent, message: Extract<FromParent, { type: 'loaded' }>): void {
    if (this.#stopping) return
    this.#version = message.version
    this.#change({ state: 'running' })
    for (const slot of this.#slots.values()) slot.spawn()
    this.#roles.ready(parent)
  }

  #spawned(parent: WarmParent, number: number, pid: number): void {
    if (this.#roles.owns(number)) {
      if (this.#roles.spawned(parent, number, pid)) return
      return parent.distrust(`nobody was to be forked in slot ${number}`)
    }
    const slot = this.#slots.get(number)
    if (slot === undefined) return parent.distrust(`there is no slot ${number}`)
    if (slot.pid !== 0) {
      return parent.distrust(`spawned ${pid}, but slot ${number} holds ${slot.pid}`)
    }
    slot.spawned(pid)
    this.#wake()
  }

  #exited(parent: WarmParent, death: Death): void {
    if (this.#roles.owns(death.slot)) {
      if (this.#roles.exited(parent, death)) return
      return parent.distrust(`exited ${death.pid}, but slot ${death.slot} holds another`)
    }
    const slot = this.#slots.get(death.slot)
    if (slot === undefined) return parent.distrust(`there is no slot ${death.slot}`)
    if (slot.pid !== death.pid) {
      return parent.distrust(`exited ${death.pid}, but slot ${death.slot} holds ${slot.pid}`)
    }
    slot.exited(death, this.#stopping)
    this.#wake()
  }

  #parentGone(parent: WarmParent, how: string): void {
    if (this.#parent !== parent) return
    this.#parent = null
    for (const slot of this.#slots.values()) slot.forget()
    this.#roles.gone(parent)
    if (this.#stopping || this.#hopeless) return
    const { app, logger } = this.#options
    const wait = this.#backoff.died(parent.livedMs)
    this.#restarts += 1
    const again = wait === 0 ? 'at once' : `in ${wait} ms`
    logger.error(`the warm parent of ${app.name} died (${how}); starting it again ${again}`, {
      app: app.name,
    })
    if (this.#backoff.deaths >= CIRCUIT_DEATHS) {
      this.#change({ state: 'broken', detail: `its process keeps dying (${how}); see the log` })
    }
    this.#restartTimer = setTimeout(() => this.start(), wait)
  }

  keep(role: Role): KeptRole {
    this.#mustHaveRoles(role)
    return this.#roles.keep(role)
  }

  async once(role: Role, timeoutMs: number): Promise<RoleEnd> {
    this.#mustHaveRoles(role)
    return this.#roles.once(role, timeoutMs)
  }

  #mustHaveRoles(role: Role): void {
    const { app, runtime } = this.#options
    if (runtime.roles !== true) refuseRole(app.name, app.kind, role)
  }

  /** The server found a worker past its deadline: log where it hangs, then replace it. */
  stuck(report: Extract<FromServer, { type: 'stuck' }>): void {
    const slot = this.#slots.get(report.slot)
    if (slot === undefined || slot.pid !== report.pid || slot.doomed) return
    slot.doomed = true
    const { app, logger } = this.#options
    logger.error(
      `worker exceeded its deadline: ${report.request} has run for ${Math.round(report.elapsedMs)} ms; its traceback follows, then it is replaced`,
      { app: app.name, pid: report.pid },
    )
    const parent = this.#parent
    parent?.traceback(report.slot)
    const tracebackMs = app.kind === 'node' ? NODE_TRACEBACK_MS : TRACEBACK_MS
    setTimeout(() => {
      if (slot.pid === report.pid) parent?.kill(report.slot)
    }, tracebackMs)
    setTimeout(() => {
      if (slot.pid === report.pid) parent?.distrust(`it did not kill worker ${report.pid}`)
    }, tracebackMs + KILL_TIMEOUT_MS).unref()
  }

  /** Lets the workers finish what they have in hand; kills what is left after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restartTimer)
    for (const slot of this.#slots.values()) slot.stop()
    this.#roles.never('it stops')
    this.#wake()
    await this.#parent?.stop(timeoutMs)
  }
}
