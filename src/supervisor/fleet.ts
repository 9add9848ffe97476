/** The workers of one application in their slots: born, replaced after their deaths, told to leave. */
import type { Death } from '../runtimes/runtime.ts'
import { CIRCUIT_DEATHS } from './backoff.ts'
import type { Logger } from './logger.ts'
import { type RestartReason, Restarts } from './restarts.ts'
import type { WarmParent } from './warm-parent.ts'
import { type Due, History, type WorkerFacts, WorkerSlot } from './worker-slot.ts'

/**
 * A worker whose application refused to start exits with this code (sysexits.h: EX_CONFIG) and has
 * logged why. However long it took, that was no life.
 */
const START_FAILED = 78
/** A fork takes milliseconds; a parent that needs longer than this hangs. */
const FORK_TIMEOUT_MS = 10_000
/** One that is told by the server to end, and is still there after this, is told by its parent as well. */
const REMIND_MS = 1_000
/** A parent that does not end a worker in this time is not in control of itself. */
const KILL_TIMEOUT_MS = 3_000
/** After a replacement that did not live: until the next attempt at most, ms. */
const LONGEST_PAUSE_MS = 60_000

const SIGKILL = 9
const signalNames: Readonly<Record<number, string>> = {
  6: 'SIGABRT',
  7: 'SIGBUS',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  15: 'SIGTERM',
}

export interface FleetOptions {
  readonly app: string
  readonly slots: number
  /** What a worker that leaves may take to finish what it has in hand, ms. */
  readonly stopMs: number
  readonly logger: Logger
  /** Has the server send nothing more to a worker, which then ends; resolves when it does not. */
  readonly dismiss: (slot: number, pid: number) => Promise<void>
  /** Told of every change. */
  readonly changed: () => void
  /** Why the kernel has killed one of them just now; '' where it has not. */
  readonly killedBy?: () => string
}

export class Fleet {
  readonly #options: FleetOptions
  readonly #slots: readonly WorkerSlot[]
  /** Of all workers that ever were, and of their parents. */
  readonly restarts: Restarts = new Restarts()
  #emptied = 0
  #stopping = false
  /** Replacements in a row that did not live. */
  #failed = 0
  /** No replacement before this time. */
  #pausedUntil = 0
  /** How the last worker died. */
  lastDeath = ''

  constructor(options: FleetOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.slots }, (_, slot) => new WorkerSlot(slot))
  }

  get facts(): WorkerFacts[] {
    return this.#slots.filter(({ pid }) => pid !== 0).map(({ facts }) => facts)
  }

  /** For those that serve and those that are to take over from them. */
  get places(): number {
    return this.#slots.length
  }

  slot(number: number): WorkerSlot | undefined {
    return this.#slots[number]
  }

  /** Those of `parent` that answer requests or are about to: not those that leave, nor their successors. */
  of(parent: WarmParent): WorkerSlot[] {
    return this.#slots.filter(
      (slot) =>
        slot.parent === parent &&
        slot.phase !== 'empty' &&
        slot.phase !== 'leaving' &&
        slot.replaces === null,
    )
  }

  /** `parent` has forked workers that have not ended. */
  holds(parent: WarmParent): boolean {
    return this.#slots.some((slot) => slot.parent === parent && slot.phase !== 'empty')
  }

  /** Those that are to take over from another. */
  get replacing(): number {
    return this.#slots.filter(({ replaces }) => replaces !== null).length
  }

  /** Until a replacement may be tried again, ms. */
  get pauseMs(): number {
    return Math.max(0, this.#pausedUntil - performance.now())
  }

  get isDyingYoung(): boolean {
    return this.#slots.some(({ phase, history }) => phase !== 'empty' && history.isDyingYoung)
  }

  /** None of the workers of `parent` serves, and each has failed to start many times. */
  isHopeless(parent: WarmParent): boolean {
    const all = this.of(parent)
    return all.length > 0 && all.every(({ history }) => history.unborn >= CIRCUIT_DEATHS)
  }

  // Orders.

  /** Starts or retires workers of `parent` until there are `wanted`, as far as there are slots. */
  resize(parent: WarmParent, wanted: number): void {
    const all = this.of(parent)
    for (let count = all.length; count < wanted; count++) {
      if (this.start(parent) === null) return
    }
    if (all.length <= wanted) return
    const surplus = all.sort((a, b) => rank(a) - rank(b) || b.ageMs - a.ageMs)
    for (const slot of surplus.slice(0, all.length - wanted)) this.retire(slot)
  }

  /** A worker in an empty slot, which may be to take over from another; null: no slot is empty. */
  start(parent: WarmParent, replaces: WorkerSlot | null = null): WorkerSlot | null {
    const empty = this.#slots.filter(({ phase }) => phase === 'empty')
    const [slot] = empty.sort((a, b) => a.emptied - b.emptied || a.number - b.number)
    if (slot === undefined) return null
    slot.parent = parent
    slot.replaces = replaces
    this.#fork(slot)
    return slot
  }

  /** Has a worker finish what it has in hand and go; nobody takes its place. */
  retire(slot: WorkerSlot): void {
    const successor = this.#successorOf(slot)
    if (slot.phase === 'waiting') this.#empty(slot)
    else if (slot.phase !== 'leaving' && slot.phase !== 'empty') {
      const { phase } = slot
      slot.phase = 'leaving'
      slot.replaces = null
      // The parent does not know a worker that is being born.
      if (phase !== 'forking') this.#dismiss(slot, phase === 'serving')
    }
    // There is nobody any more to take over from.
    if (successor !== null) this.retire(successor)
  }

  /** All that `parent` has forked, or was to. */
  retireAll(parent: WarmParent): void {
    for (const slot of this.#slots) if (slot.parent === parent) this.retire(slot)
  }

  /** It is to be replaced; by whom and when is the application's matter. */
  condemn(slot: WorkerSlot, due: Due): void {
    if (slot.phase !== 'serving' || slot.due !== null) return
    slot.due = due
    this.#options.changed()
  }

  /** Those of `parent` that are to be replaced and have no successor yet. */
  condemned(parent: WarmParent): WorkerSlot[] {
    return this.of(parent).filter((slot) => slot.due !== null && this.#successorOf(slot) === null)
  }

  /** Those that serve. */
  serving(parent: WarmParent): WorkerSlot[] {
    return this.of(parent).filter(({ phase }) => phase === 'serving')
  }

  /** Resolves when no request goes any more to those of `parent` that leave. */
  async dismissed(parent: WarmParent): Promise<void> {
    const leaving = this.#slots.filter((slot) => slot.parent === parent)
    await Promise.all(leaving.map((slot) => slot.dismissed))
  }

  /** From now on nobody is replaced. */
  stop(): void {
    this.#stopping = true
    for (const { timer, reminder } of this.#slots) {
      clearTimeout(timer)
      clearTimeout(reminder)
    }
  }

  /** Those that wait for their next attempt wait no more, and their past is forgotten. */
  forgive(): void {
    for (const slot of this.#slots) {
      if (slot.phase === 'waiting') this.#empty(slot)
      slot.history.unborn = 0
      slot.history.backoff.reset()
    }
  }

  // News from parents and the server. Those that return text say what cannot be.

  spawned(parent: WarmParent, number: number, pid: number): string {
    const slot = this.#slots[number]
    if (slot === undefined) return `there is no slot ${number}`
    if (slot.pid !== 0) return `spawned ${pid}, but slot ${number} holds ${slot.pid}`
    if (slot.parent !== parent) return `spawned ${pid}, but nobody was to be in slot ${number}`
    clearTimeout(slot.timer)
    slot.pid = pid
    slot.startedAt = performance.now()
    slot.doomed = false
    slot.luck = Math.random()
    if (slot.phase === 'leaving') this.#dismiss(slot, false)
    else {
      slot.phase = 'starting'
      if (slot.joinedAs === pid) this.joined(number, pid)
    }
    this.#options.changed()
    return ''
  }

  /** It is linked to every thread of the server. */
  joined(number: number, pid: number): void {
    const slot = this.#slots[number]
    if (slot?.phase === 'forking') slot.joinedAs = pid
    if (slot?.phase !== 'starting' || slot.pid !== pid) return
    slot.phase = 'serving'
    slot.history.unborn = 0
    if (slot.replaces !== null) this.#takeOver(slot, slot.replaces)
    this.#options.changed()
  }

  exited(parent: WarmParent, death: Death): string {
    const { slot: number, pid } = death
    const slot = this.#slots[number]
    if (slot === undefined) return `there is no slot ${number}`
    if (slot.pid !== pid || slot.parent !== parent) {
      return `exited ${pid}, but slot ${number} holds ${slot.pid}`
    }
    if (slot.phase === 'leaving' || this.#stopping) this.#empty(slot)
    else this.#died(slot, death)
    this.#options.changed()
    return ''
  }

  /** `parent` is gone, and every worker of it. */
  gone(parent: WarmParent): void {
    for (const slot of this.#slots) if (slot.parent === parent) this.#empty(slot)
  }

  count(slot: WorkerSlot, reason: RestartReason, how: string): void {
    slot.history.restarts.count(reason, how)
    this.restarts.count(reason, how)
  }

  #fork(slot: WorkerSlot): void {
    const { parent, number } = slot
    slot.phase = 'forking'
    slot.joinedAs = 0
    slot.due = null
    parent?.spawn(number)
    slot.timer = setTimeout(
      () => parent?.distrust(`it did not fork worker ${number}`),
      FORK_TIMEOUT_MS,
    )
  }

  #dismiss(slot: WorkerSlot, wasLinked: boolean): void {
    const { parent, pid, number } = slot
    const { app, logger, stopMs, dismiss } = this.#options
    clearTimeout(slot.timer)
    slot.dismissed = dismiss(number, pid)
    // It is not linked yet, or the server has other troubles: then its parent tells it.
    slot.reminder = setTimeout(() => parent?.retire(number), wasLinked ? REMIND_MS : 0)
    slot.timer = setTimeout(() => {
      logger.warn(`a worker did not finish within ${stopMs / 1000} s; killed`, { app, pid })
      parent?.kill(number)
      slot.timer = setTimeout(
        () => parent?.distrust(`it did not kill worker ${pid}`),
        KILL_TIMEOUT_MS,
      )
    }, stopMs)
  }

  #takeOver(slot: WorkerSlot, from: WorkerSlot): void {
    const { app, logger } = this.#options
    const { reason, how } = from.due ?? { reason: 'reload', how: '' }
    slot.replaces = null
    slot.history = from.history
    from.history = new History()
    this.#failed = 0
    this.count(slot, reason, how)
    logger.info(`worker replaced by ${slot.pid}: ${said({ reason, how })}`, { app, pid: from.pid })
    this.retire(from)
  }

  #died(slot: WorkerSlot, death: Death): void {
    const { app, logger } = this.#options
    const refused = death.code === START_FAILED
    const unborn = slot.phase === 'starting'
    const oom = death.signal === SIGKILL ? (this.#options.killedBy?.() ?? '') : ''
    const how =
      oom !== ''
        ? oom
        : death.signal === null
          ? `exit code ${death.code}`
          : (signalNames[death.signal] ?? `signal ${death.signal}`)
    const bySignal = oom === '' ? 'signal' : 'oom'
    const cause = refused ? 'start' : death.signal === null ? 'exit' : bySignal
    const { history, replaces, ageMs } = slot
    this.lastDeath = how
    const wait = history.backoff.died(unborn || refused ? 0 : ageMs)
    if (unborn) history.unborn += 1
    this.count(slot, slot.doomed ? 'deadline' : cause, how)
    const what = refused ? 'worker did not start' : `worker died (${how})`
    const fields = { app, pid: death.pid }
    if (replaces !== null) {
      const pause = Math.min(LONGEST_PAUSE_MS, 1_000 * 2 ** this.#failed++)
      this.#pausedUntil = performance.now() + pause
      logger.warn(
        `${what} that was to replace another, which goes on; again in ${pause} ms`,
        fields,
      )
      return this.#empty(slot)
    }
    const successor = this.#successorOf(slot)
    if (successor !== null) {
      logger.warn(`${what}; its successor is on its way`, fields)
      successor.replaces = null
      successor.history = history
      slot.history = new History()
      return this.#empty(slot)
    }
    const again = wait === 0 ? 'replaced at once' : `the next one starts in ${wait} ms`
    logger.warn(`${what}; ${again}`, fields)
    if (history.backoff.deaths === CIRCUIT_DEATHS) {
      logger.error(
        `workers of ${app} keep dying right after their start; see the lines above for why`,
        { app },
      )
    }
    slot.pid = 0
    slot.phase = 'waiting'
    if (wait === 0) this.#fork(slot)
    else slot.timer = setTimeout(() => this.#fork(slot), wait)
  }

  #successorOf(slot: WorkerSlot): WorkerSlot | null {
    return this.#slots.find(({ replaces }) => replaces === slot) ?? null
  }

  #empty(slot: WorkerSlot): void {
    clearTimeout(slot.timer)
    clearTimeout(slot.reminder)
    const successor = this.#successorOf(slot)
    if (successor !== null) successor.replaces = null
    slot.phase = 'empty'
    slot.parent = null
    slot.pid = 0
    slot.replaces = null
    slot.due = null
    slot.joinedAs = 0
    slot.emptied = ++this.#emptied
  }
}

/** Which are retired first where there are too many. */
function rank({ phase, due }: WorkerSlot): number {
  if (phase === 'waiting') return 0
  if (phase !== 'serving') return 1
  return due === null ? 3 : 2
}

const sentences: Partial<Record<RestartReason, (how: string) => string>> = {
  requests: (how) => `it has served ${how} requests`,
  age: (how) => `it is ${how} old`,
  memory: (how) => `it holds ${how} of memory`,
  'address-space': (how) => `its address space is ${how}`,
  idle: (how) => `it was idle for ${how}`,
  reload: () => 'reload',
}

function said({ reason, how }: Due): string {
  return sentences[reason]?.(how) ?? reason
}
