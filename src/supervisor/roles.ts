/**
 * Processes of an application that answer no requests: what runs beside its workers in its own code. The
 * warm parent forks them as it forks workers, in slots above theirs.
 */
import type { Death, Role } from '../runtimes/runtime.ts'
import { Backoff } from './backoff.ts'
import type { Logger } from './logger.ts'
import { delay, settledWithin } from './timers.ts'

/** A life shorter than this counts as a failed start, ms. */
const YOUNG_MS = 1_000
/** What a process that is told to stop may take where nobody says otherwise, ms. */
const STOP_MS = 10_000
/** Between two attempts to kill one that its parent has not yet told of, ms. */
const KILL_EVERY_MS = 100

/** A warm parent, as far as these processes need it. */
export interface RoleParent {
  spawn(slot: number, role?: Role): void
  retire(slot: number): void
  kill(slot: number): void
}

/** A process that is kept alive until the application stops. */
export interface KeptRole {
  /** 0 while there is none. */
  readonly pid: number
  /** Lets it finish what it has in hand, kills it after `timeoutMs`; resolves when it is gone. */
  stop(timeoutMs?: number): Promise<void>
}

export interface RoleEnd {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null
  readonly signal: number | null
  /** It was killed because its time was over. */
  readonly timedOut: boolean
}

export interface RoleFacts {
  readonly slot: number
  readonly kind: string
  readonly pid: number
  readonly restarts: number
  readonly uptimeMs: number
}

/** Of a process: its birth, and its end, which is null when it went with its parent or will never be. */
interface RoleEvents {
  begun(): void
  ended(death: Death | null): void
}

/** For applications that have no such processes. Throws. */
export function refuseRole(app: string, kind: string, role: Role): never {
  throw new Error(
    `application ${app} cannot have a process for ${role.kind}: ${kind} applications run nothing beside their workers (Python's and Node's do)`,
  )
}

/** Where one process is, or will be. */
class Place {
  readonly slot: number
  readonly role: Role
  /** A new parent takes it over. */
  readonly kept: boolean
  readonly events: RoleEvents
  /** The one that has forked it, or was asked to. */
  parent: RoleParent | null = null
  pid = 0
  startedAt = 0
  restarts = 0

  constructor(slot: number, role: Role, kept: boolean, events: RoleEvents) {
    this.slot = slot
    this.role = role
    this.kept = kept
    this.events = events
  }

  get facts(): RoleFacts {
    const { slot, role, pid, restarts, startedAt } = this
    const uptimeMs = Math.round(performance.now() - startedAt)
    return { slot, kind: role.kind, pid, restarts, uptimeMs }
  }
}

export class Roles {
  readonly #app: string
  readonly #firstSlot: number
  readonly #logger: Logger
  readonly #places = new Map<number, Place>()
  #parent: RoleParent | null = null
  /** Why there is no parent, and none is waited for; '' otherwise. */
  #over = ''

  constructor(app: string, firstSlot: number, logger: Logger) {
    this.#app = app
    this.#firstSlot = firstSlot
    this.#logger = logger
  }

  get facts(): RoleFacts[] {
    return [...this.#places.values()].filter(({ pid }) => pid !== 0).map(({ facts }) => facts)
  }

  /** All that live or are to. */
  get size(): number {
    return this.#places.size
  }

  /** Some of the processes that this parent has forked live. */
  holds(parent: RoleParent): boolean {
    return [...this.#places.values()].some((place) => place.parent === parent)
  }

  /** Keeps it alive, with back-off, until it is stopped or the application is. */
  keep(role: Role): KeptRole {
    return new Kept(this, role, this.#app, this.#logger)
  }

  /**
   * Runs it once, for `timeoutMs` from its birth at most; 0: without a bound. Waits for the application to
   * load; rejects when it does not, or stops before this has begun.
   */
  once(role: Role, timeoutMs: number): Promise<RoleEnd> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined
      let timedOut = false
      const place = this.take(role, false, {
        begun: () => {
          if (timeoutMs === 0) return
          timer = setTimeout(() => {
            timedOut = true
            place.parent?.kill(place.slot)
          }, timeoutMs)
        },
        ended: (death) => {
          clearTimeout(timer)
          this.free(place)
          if (death !== null) return resolve({ code: death.code, signal: death.signal, timedOut })
          if (place.startedAt > 0) return resolve({ code: null, signal: 9, timedOut })
          reject(new Error(`application ${this.#app}: ${role.kind} did not run: ${this.#over}`))
        },
      })
      this.start(place)
    })
  }

  // From those that keep and run them.

  take(role: Role, kept: boolean, events: RoleEvents): Place {
    let slot = this.#firstSlot
    while (this.#places.has(slot)) slot++
    const place = new Place(slot, role, kept, events)
    this.#places.set(slot, place)
    return place
  }

  /** As soon as there is a parent. */
  start(place: Place): void {
    if (this.#over !== '' && !place.kept) return place.events.ended(null)
    if (this.#parent === null || place.parent !== null) return
    if (this.#places.get(place.slot) !== place) return
    place.parent = this.#parent
    this.#parent.spawn(place.slot, place.role)
  }

  free(place: Place): void {
    this.#places.delete(place.slot)
  }

  // From the application.

  owns(slot: number): boolean {
    return slot >= this.#firstSlot
  }

  /** False: nobody was to be forked there by that parent. */
  spawned(parent: RoleParent, slot: number, pid: number): boolean {
    const place = this.#places.get(slot)
    if (place?.parent !== parent || place.pid !== 0) return false
    place.pid = pid
    place.startedAt = performance.now()
    place.events.begun()
    return true
  }

  /** False: nobody of that number was there. */
  exited(parent: RoleParent, death: Death): boolean {
    const place = this.#places.get(death.slot)
    if (place?.parent !== parent || place.pid !== death.pid) return false
    place.pid = 0
    place.parent = null
    place.events.ended(death)
    return true
  }

  /**
   * From now on this parent forks them. Those that are kept leave the parent before it, one by one as they
   * finish what they have in hand; those that run once end there.
   */
  ready(parent: RoleParent): void {
    const before = this.#parent
    this.#parent = parent
    this.#over = ''
    for (const place of this.#places.values()) {
      if (place.parent === null) this.start(place)
      else if (place.kept && place.parent === before) before.retire(place.slot)
    }
  }

  /** Those that should have left this parent by now leave at once. */
  evict(parent: RoleParent): void {
    for (const { kept, slot, parent: own } of this.#places.values()) {
      if (kept && own === parent) parent.kill(slot)
    }
  }

  /** A parent has ended, and with it all that it had forked. */
  gone(parent: RoleParent): void {
    if (this.#parent === parent) this.#parent = null
    for (const place of [...this.#places.values()]) {
      if (place.parent !== parent) continue
      place.pid = 0
      place.parent = null
      place.events.ended(null)
    }
  }

  /** No parent is to be waited for: those that were to run once are told why they will not. */
  never(why: string): void {
    this.#over = why
    for (const place of [...this.#places.values()]) {
      if (place.parent === null) place.events.ended(null)
    }
  }
}

class Kept implements KeptRole {
  readonly #roles: Roles
  readonly #app: string
  readonly #logger: Logger
  readonly #backoff = new Backoff({ youngMs: YOUNG_MS, firstMs: 100, longestMs: 30_000 })
  readonly #place: Place
  readonly #gone: Promise<void>
  #leave: () => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #stopping = false

  constructor(roles: Roles, role: Role, app: string, logger: Logger) {
    this.#roles = roles
    this.#app = app
    this.#logger = logger
    this.#gone = new Promise((resolve) => {
      this.#leave = resolve
    })
    this.#place = roles.take(role, true, {
      begun: () => {},
      ended: (death) => this.#ended(death),
    })
    roles.start(this.#place)
  }

  get pid(): number {
    return this.#place.pid
  }

  async stop(timeoutMs: number = STOP_MS): Promise<void> {
    const place = this.#place
    if (!this.#stopping) {
      this.#stopping = true
      clearTimeout(this.#timer)
      if (place.parent === null) this.#ended(null)
      else place.parent.retire(place.slot)
    }
    if (await settledWithin(this.#gone, timeoutMs)) return
    do {
      place.parent?.kill(place.slot)
      await delay(KILL_EVERY_MS)
    } while (!(await settledWithin(this.#gone, 0)))
  }

  #ended(death: Death | null): void {
    const place = this.#place
    if (this.#stopping) {
      this.#roles.free(place)
      return this.#leave()
    }
    // It went with its parent, whose successor starts it.
    if (death === null) return
    const wait = this.#backoff.died(performance.now() - place.startedAt)
    place.restarts += 1
    if (death.code !== 0 || wait > 0) {
      const how = death.signal === null ? `exit code ${death.code}` : `signal ${death.signal}`
      const again = wait === 0 ? 'started again at once' : `the next one starts in ${wait} ms`
      this.#logger.warn(`${place.role.kind} ended (${how}); ${again}`, {
        app: this.#app,
        pid: death.pid,
      })
    }
    if (wait === 0) this.#roles.start(place)
    else this.#timer = setTimeout(() => this.#roles.start(place), wait)
  }
}
