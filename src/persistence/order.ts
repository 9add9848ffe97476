/** A scheduler's order with the visitor's own server before it. */
import type { Backend, Key, Order, Scheduler } from '../schedulers/scheduler.ts'
import type { WhenDown } from '../site/persistence-plan.ts'
import { NOBODY, type Persistence } from './persistence.ts'

/** A server that may keep its visitors while it takes no new ones. */
interface Server extends Backend {
  readonly readyForOwn: boolean
  /** It has no visitors of its own any more. */
  readonly gaveUp: boolean
}

/**
 * `servers`: all of the pool, by index; the visitor's own may be of another tier than those that are
 * scheduled.
 */
export function persistent(
  scheduler: Scheduler,
  persistence: Persistence,
  whenDown: WhenDown,
  servers: readonly Server[],
): Scheduler {
  return {
    ...scheduler,
    order: <B extends Backend>(backends: readonly B[], key: Key): Order<B> =>
      new OwnFirst(
        scheduler,
        persistence,
        whenDown,
        servers as unknown as readonly B[],
        backends,
        key,
      ),
  }
}

class OwnFirst<B extends Backend> implements Order<B> {
  readonly #scheduler: Scheduler
  readonly #persistence: Persistence
  readonly #whenDown: WhenDown
  readonly #servers: readonly B[]
  readonly #backends: readonly B[]
  readonly #key: Key
  #rest: Iterator<B, undefined> | null = null
  /** Whose the visitor was when it was last looked up. */
  #before = NOBODY
  #began = false
  own: B | null = null

  constructor(
    scheduler: Scheduler,
    persistence: Persistence,
    whenDown: WhenDown,
    servers: readonly B[],
    backends: readonly B[],
    key: Key,
  ) {
    this.#scheduler = scheduler
    this.#persistence = persistence
    this.#whenDown = whenDown
    this.#servers = servers
    this.#backends = backends
    this.#key = key
  }

  next(): IteratorResult<B, undefined> {
    if (!this.#began) {
      this.#began = true
      this.#before = this.#persistence.find(this.#key)
      const own = this.#servers[this.#before]
      if (own !== undefined && !(own as unknown as Server).gaveUp) {
        if (this.#whenDown === 'stick' || takesOwn(own)) {
          this.own = own
          return { done: false, value: own }
        }
        if (this.#whenDown === 'refuse') return this.#nobody()
      }
    } else if (this.own !== null && this.#whenDown !== 'another') return this.#nobody()
    return this.#scheduled()
  }

  #scheduled(): IteratorResult<B, undefined> {
    this.own = null
    this.#rest ??= this.#scheduler.order(this.#backends, this.#key)
    const next = this.#rest.next()
    if (next.done === true) return next
    const server = this.#servers.indexOf(next.value)
    const whose = this.#persistence.settle(this.#key, this.#before, server)
    this.#before = whose
    const other = this.#servers[whose]
    // Another thread has sent the visitor to somebody else a moment ago.
    if (whose === server || other === undefined || !takesOwn(other)) return next
    this.own = other
    return { done: false, value: other }
  }

  #nobody(): IteratorResult<B, undefined> {
    return { done: true, value: undefined }
  }
}

function takesOwn(server: Backend): boolean {
  return (server as Server).readyForOwn
}
