/**
 * One application: its warm parent and the workers forked from it.
 *
 *     start ──► starting ──loaded──► running ──┐ a worker exits: forked again, with back-off
 *                 ▲  │                │  ▲ ◄───┘
 *                 │  └─failed, late─► │  │  broken   (until a reload; or until one of its workers lives,
 *                 │                   │  │            where they only keep dying right after their start)
 *                 │                   ▼  │ a request waits
 *                 │                 asleep         (where it may have no worker at all)
 *                 └─ the parent died or lied: all anew, with back-off
 *
 * What happens only notes itself; `#act` compares what there is with what there is to be, and acts.
 */
import type { IsolationFacts } from '../isolation/quarters.ts'
import type { Death, FromParent, Role } from '../runtimes/runtime.ts'
import type { AppNews, AppState, FromServer } from '../server/protocol.ts'
import { workerSlots } from '../server/slots.ts'
import type { Usage } from '../system/cgroup.ts'
import type { AppLifetime } from './app-lifetime.ts'
import { type ReloadHow, Takeover } from './app-reload.ts'
import { afterWait, Backoff, CIRCUIT_DEATHS } from './backoff.ts'
import { Circuit } from './circuit.ts'
import { Fleet } from './fleet.ts'
import { HungWorkers } from './hung-workers.ts'
import { LoadFailure } from './load-failure.ts'
import { Recycling } from './recycling.ts'
import type { RestartCounts } from './restarts.ts'
import { type KeptRole, type RoleEnd, type RoleFacts, Roles, refuseRole } from './roles.ts'
import { said } from './said.ts'
import { Scaling } from './scaling/scaling.ts'
import type { SlowReport } from './slow-log.ts'
import { type ParentEvents, type ParentOptions, WarmParent } from './warm-parent.ts'
import type { WorkerFacts } from './worker-slot.ts'

/** A stuck worker writes its traceback before it is killed; Node's debugger has to be started for it. */
const TRACEBACK_MS = 150
const NODE_TRACEBACK_MS = 1_000
/** Parents that live shorter than this are restarted ever more slowly. */
const PARENT_YOUNG_MS = 5_000

export interface AppOptions extends ParentOptions {
  /** What a worker that is replaced may take to finish what it has in hand, ms. */
  readonly stopMs: number
  /** Workers that the application has now, in the generation that this one is to follow; 0: none. */
  readonly before: number
  /** Has the server send nothing more to a worker, which then ends; resolves when it does not. */
  readonly dismiss: (slot: number, pid: number) => Promise<void>
  /** Told of every change. */
  readonly changed: (status: AppState) => void
  /** Told what its code declares, each time that it has loaded. */
  readonly declared: (told: unknown) => void
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
  /** Workers that it is to have now; absent where that never changes. */
  readonly wanted?: number
  /** What runs beside the workers; absent where there is no such thing. */
  readonly roles?: readonly RoleFacts[]
  /** As whom it runs, within which walls and bounds; absent where it lives as the site does. */
  readonly isolation?: IsolationFacts
  /** What all of its processes use; absent where this system does not tell. */
  readonly usage?: Usage
}

export class AppProcess implements AppLifetime {
  readonly #options: AppOptions
  readonly #fleet: Fleet
  readonly #roles: Roles
  readonly #scaling: Scaling
  readonly #recycling: Recycling
  readonly #hung: HungWorkers
  readonly #circuit = new Circuit(() => this.#plan())
  readonly #backoff = new Backoff({ youngMs: PARENT_YOUNG_MS, firstMs: 100, longestMs: 5_000 })
  #status: AppState = { state: 'starting' }
  #parent: WarmParent | null = null
  /** Those that end as soon as their workers and roles have. */
  readonly #leaving = new Set<WarmParent>()
  /** Those of them that were told to end. */
  readonly #ending = new WeakSet<WarmParent>()
  #takeover: Takeover | null = null
  #restartTimer: NodeJS.Timeout | undefined
  #pauseTimer: NodeJS.Timeout | undefined
  #version = ''
  #stopping = false
  #hopeless = false
  #planned = false
  #waiting: (() => void)[] = []

  constructor(options: AppOptions) {
    this.#options = options
    const { app, logger, stopMs } = options
    const slots = workerSlots(app)
    const changed = (): void => this.#plan()
    const killedBy = (): string => options.quarters.killedBy()
    const { dismiss } = options
    this.#fleet = new Fleet({ app: app.name, slots, stopMs, logger, dismiss, changed, killedBy })
    this.#roles = new Roles(app.name, slots, logger)
    this.#scaling = new Scaling(app, () => this.#memory(), changed)
    this.#scaling.follow(options.before)
    this.#recycling = new Recycling(
      app.recycle,
      () => this.#serving,
      (slot, due) => this.#fleet.condemn(slot, due),
    )
    const tracebackMs = app.kind === 'node' ? NODE_TRACEBACK_MS : TRACEBACK_MS
    this.#hung = new HungWorkers(app.name, this.#fleet, logger, tracebackMs)
  }

  get status(): AppState {
    return this.#status
  }

  /** Workers that it is to have now. */
  get wanted(): number {
    if (this.#circuit.state === 'half') return Math.min(1, this.#scaling.wanted)
    return this.#scaling.wanted
  }

  adjust(by: 1 | -1): void {
    const { app, logger } = this.#options
    const before = this.#scaling.wanted
    // One place stays for who takes over from another.
    const wanted = this.#scaling.adjust(by, Math.max(app.workers, this.#fleet.places - 1))
    const what = wanted === before ? `stay at ${before}` : `${before} → ${wanted}`
    logger.info(`workers of ${app.name}: ${what}`, { app: app.name })
  }

  /** It loads, but its workers do not live. */
  get isDyingYoung(): boolean {
    return this.#circuit.state !== 'closed' || this.#fleet.isDyingYoung
  }

  get facts(): AppFacts {
    return {
      state: this.#status.state,
      detail: this.#status.state === 'broken' ? this.#status.detail : '',
      version: this.#version,
      parent: this.#parent?.pid ?? 0,
      workers: this.#fleet.facts,
      restarts: this.#fleet.restarts.total,
      reasons: this.#fleet.restarts.counts,
      wanted: this.wanted,
      roles: this.#roles.facts,
      ...this.#options.quarters.told(this.#parent?.pid ?? 0),
    }
  }

  /** Starts the warm parent. What goes wrong is told through `changed` and the log. */
  start(): void {
    // Broken stays broken until it has loaded: meanwhile visitors get an answer and do not wait.
    if (this.#status.state !== 'broken') this.#change({ state: 'starting' })
    try {
      this.#parent = this.#newParent()
    } catch (error) {
      this.#break(said(error))
    }
  }

  #newParent(): WarmParent {
    const events: ParentEvents = {
      loaded: (parent, message) => this.#loaded(parent, message),
      failed: (parent, detail) => this.#failed(parent, detail),
      spawned: (parent, slot, pid) => this.#spawned(parent, slot, pid),
      exited: (parent, death) => this.#exited(parent, death),
      gone: (parent, how) => this.#gone(parent, how),
    }
    return new WarmParent(this.#options, events)
  }

  /** Resolves once the application is broken, or has a process for every worker that it is to have. */
  async settled(): Promise<AppState> {
    while (!this.#isSettled()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.#status
  }

  #isSettled(): boolean {
    if (this.#status.state === 'starting') return this.#stopping
    if (this.#status.state !== 'running') return true
    const born = this.#parent === null ? [] : this.#fleet.of(this.#parent)
    return born.filter(({ pid }) => pid !== 0).length >= this.wanted
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

  // The loop.

  /** Something is different: look what is to be done, once for all that happens in this turn. */
  #plan(): void {
    if (this.#planned) return
    this.#planned = true
    queueMicrotask(() => {
      this.#planned = false
      this.#act()
    })
  }

  #act(): void {
    this.#takeover?.changed()
    for (const parent of this.#leaving) this.#endIfEmpty(parent)
    if (this.#scaling.wanted > 0) this.#rise()
    const parent = this.#parent
    if (parent?.isLoaded === true && !this.#stopping && this.#takeover === null) {
      this.#judge(parent)
      if (this.#circuit.state !== 'open') {
        this.#fleet.resize(parent, this.wanted)
        this.#recycle(parent)
      }
      this.#mayRest(parent)
    }
    this.#wake()
  }

  /** Replacements come before those that they replace leave, a few at a time. */
  #recycle(parent: WarmParent): void {
    const most = Math.max(1, Math.floor(this.wanted / 4))
    for (const slot of this.#fleet.condemned(parent)) {
      if (this.#fleet.replacing >= most) return
      const { pauseMs } = this.#fleet
      if (pauseMs > 0) {
        clearTimeout(this.#pauseTimer)
        this.#pauseTimer = setTimeout(() => this.#plan(), pauseMs)
        return
      }
      if (this.#fleet.start(parent, slot) === null) return
    }
  }

  /** Opens the circuit where workers do nothing but die, closes it when one lives. */
  #judge(parent: WarmParent): void {
    const { app, logger } = this.#options
    if (this.#circuit.state === 'half' && this.#fleet.serving(parent).length > 0) {
      this.#closeCircuit()
      logger.info(`application ${app.name} lives again`, { app: app.name })
      return this.#change({ state: 'running' })
    }
    if (this.#circuit.state === 'open' || !this.#fleet.isHopeless(parent)) return
    const detail = `its workers keep dying right after their start (${this.#fleet.lastDeath})`
    const waitMs = this.#circuit.open()
    this.#fleet.retireAll(parent)
    logger.error(
      `application ${app.name} is broken: ${detail}; visitors get an error until one lives. The next one is tried in ${waitMs / 1000} s`,
      { app: app.name },
    )
    this.#change({ state: 'broken', detail: `${detail}; see the log` })
  }

  #closeCircuit(): void {
    this.#circuit.close()
    this.#fleet.forgive()
  }

  /** Where nobody has come for long, the warm parent may end as well. */
  #mayRest(parent: WarmParent): void {
    if (!this.#scaling.mayRest || this.#fleet.holds(parent) || this.#roles.size > 0) return
    this.#parent = null
    this.#change({ state: 'asleep' })
    this.#leave(parent)
  }

  // What warm parents say.

  #loaded(parent: WarmParent, message: Extract<FromParent, { type: 'loaded' }>): void {
    parent.loaded = message
    if (this.#stopping) return
    if (parent === this.#parent) {
      if (this.#circuit.state === 'closed') this.#change({ state: 'running' })
      this.#begin(parent)
    }
    this.#plan()
  }

  /** It has loaded, and is the one that forks from now on. */
  #begin(parent: WarmParent): void {
    this.#version = parent.loaded?.version ?? ''
    this.#roles.ready(parent)
    this.#options.declared(parent.loaded?.declares)
  }

  #failed(parent: WarmParent, detail: string): void {
    if (parent === this.#parent) this.#break(detail)
    else this.#takeover?.failed(parent, detail)
  }

  #spawned(parent: WarmParent, slot: number, pid: number): void {
    if (this.#roles.owns(slot)) {
      if (this.#roles.spawned(parent, slot, pid)) return
      return parent.distrust(`nobody was to be forked in slot ${slot}`)
    }
    const wrong = this.#fleet.spawned(parent, slot, pid)
    if (wrong !== '') parent.distrust(wrong)
  }

  #exited(parent: WarmParent, death: Death): void {
    if (this.#roles.owns(death.slot)) {
      if (this.#roles.exited(parent, death)) return this.#plan()
      return parent.distrust(`exited ${death.pid}, but slot ${death.slot} holds another`)
    }
    const wrong = this.#fleet.exited(parent, death)
    if (wrong !== '') parent.distrust(wrong)
  }

  #gone(parent: WarmParent, how: string): void {
    this.#leaving.delete(parent)
    this.#fleet.gone(parent)
    this.#roles.gone(parent)
    this.#takeover?.failed(parent, `its process died (${how})`)
    this.#plan()
    if (parent !== this.#parent) return
    this.#parent = null
    if (this.#stopping || this.#hopeless) return
    const { app, logger } = this.#options
    const wait = this.#backoff.died(parent.livedMs)
    this.#fleet.restarts.count('parent', how)
    logger.error(
      `the warm parent of ${app.name} died (${how}); starting it again ${afterWait(wait)}`,
      { app: app.name },
    )
    if (this.#backoff.deaths >= CIRCUIT_DEATHS) {
      this.#change({ state: 'broken', detail: `its process keeps dying (${how}); see the log` })
    }
    this.#restartTimer = setTimeout(() => this.#startUnlessTaken(), wait)
  }

  /** One that is about to take over needs no other beside it. */
  #startUnlessTaken(): void {
    if (this.#takeover === null && this.#parent === null && !this.#stopping) this.start()
  }

  // What the server says.

  heard(news: AppNews): void {
    switch (news.type) {
      case 'joined':
        return this.#fleet.joined(news.slot, news.pid)
      case 'spent': {
        const slot = this.#fleet.slot(news.slot)
        if (slot?.pid === news.pid) this.#fleet.condemn(slot, news)
        return
      }
      case 'load':
        return this.#scaling.load(news.load)
      case 'wanted':
        this.#scaling.wake()
        return this.#rise()
    }
  }

  /** From sleep, when there is something to do. */
  #rise(): void {
    if (this.#status.state === 'asleep' && !this.#stopping) this.start()
  }

  slow(report: SlowReport): void {
    this.#hung.slow(report)
  }

  stuck(report: Extract<FromServer, { type: 'stuck' }>): void {
    this.#hung.stuck(report)
  }

  // Roles.

  keep(role: Role): KeptRole {
    this.#mustHaveRoles(role)
    this.#rise()
    return this.#roles.keep(role)
  }

  async once(role: Role, timeoutMs: number): Promise<RoleEnd> {
    this.#mustHaveRoles(role)
    this.#rise()
    return this.#roles.once(role, timeoutMs)
  }

  #mustHaveRoles(role: Role): void {
    const { app, runtime } = this.#options
    if (runtime.roles !== true) refuseRole(app.name, app.kind, role)
  }

  // Reloading, resting, stopping.

  /**
   * Imports the application anew in a second parent, whose workers take over. Rejects with the reason
   * when they cannot: then everything goes on as it was.
   */
  async reload(how: ReloadHow): Promise<void> {
    const { app } = this.#options
    if (this.#stopping || this.#takeover !== null) {
      throw new Error(`application ${app.name} is being ${this.#stopping ? 'stopped' : 'reloaded'}`)
    }
    const takeover = new Takeover(app, this.#fleet)
    this.#takeover = takeover
    let next: WarmParent | null = null
    try {
      next = this.#newParent()
      await takeover.run(this.#parent, next, this.#scaling.wanted, how)
      const old = this.#parent
      this.#switchTo(next)
      // Whoever hears that the new code serves must not meet the old.
      if (old !== null) await this.#fleet.dismissed(old)
    } catch (error) {
      if (next !== null) this.#leave(next)
      const failure = error instanceof LoadFailure ? error : new LoadFailure(app.name, said(error))
      this.#options.logger.error(failure.message, { app: app.name })
      throw failure
    } finally {
      this.#takeover = null
      if (!this.#hopeless && this.#status.state !== 'asleep') this.#startUnlessTaken()
      this.#plan()
    }
  }

  #switchTo(next: WarmParent): void {
    const old = this.#parent
    this.#parent = next
    this.#hopeless = false
    clearTimeout(this.#restartTimer)
    this.#backoff.reset()
    this.#closeCircuit()
    if (this.#status.state !== 'running') this.#change({ state: 'running' })
    this.#begin(next)
    if (old !== null) this.#leave(old)
  }

  /** It ends when what it has forked has. */
  #leave(parent: WarmParent): void {
    // One that hangs in its import hears nothing.
    if (!parent.isLoaded) return void parent.stop(0)
    this.#leaving.add(parent)
    this.#fleet.retireAll(parent)
    setTimeout(() => this.#roles.evict(parent), this.#options.stopMs).unref()
    this.#plan()
  }

  #endIfEmpty(parent: WarmParent): void {
    if (this.#ending.has(parent) || this.#fleet.holds(parent) || this.#roles.holds(parent)) return
    this.#ending.add(parent)
    void parent.stop(this.#options.stopMs)
  }

  /** The workers' resident memory, bytes. */
  #memory(): number {
    return this.#recycling.residentMemory()
  }

  get #serving(): ReturnType<Fleet['serving']> {
    return this.#parent === null ? [] : this.#fleet.serving(this.#parent)
  }

  /** Lets the workers finish what they have in hand; kills what is left after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true
    for (const timer of [this.#restartTimer, this.#pauseTimer]) clearTimeout(timer)
    this.#circuit.stop()
    this.#recycling.stop()
    this.#fleet.stop()
    this.#takeover?.abort(new Error('stopping'))
    this.#roles.never('it stops')
    this.#wake()
    const parents = [this.#parent, this.#takeover?.next ?? null, ...this.#leaving]
    await Promise.all(parents.map((parent) => parent?.stop(timeoutMs)))
  }
}
