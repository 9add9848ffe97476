/**
 * Locks by name. Who takes one holds it until it gives it back, its time is over, or its connection closes:
 * a worker that is killed holds up nobody. Each taking gets a number, larger than all before it, by which
 * whatever the lock guards can tell a late comer that has lost the lock without noticing (fencing).
 */
import type { Client } from './client.ts'
import { type Clock, never } from './clock.ts'
import { ELEMENT_COST, ENTRY_COST, type Memory } from './memory.ts'

/** Node's timers count in 31 bits of milliseconds. */
const LONGEST_MS = 2 ** 31 - 1

export interface Wish {
  readonly client: Client
  /** Who takes it; '': the connection itself. */
  readonly owner: string
  /** How long it is held at most, ms; 0: as long as the connection lives. */
  readonly ttlMs: number
  /** Stays held when the connection closes. */
  readonly keep: boolean
}

interface Waiting {
  readonly wish: Wish
  /** The fencing number, or null when it did not get it. */
  readonly got: (fence: number | null) => void
}

interface Lock {
  readonly name: string
  wish: Wish
  fence: number
  expires: number
  timer: NodeJS.Timeout | undefined
  readonly waiting: Set<Waiting>
}

export class Locks {
  readonly #clock: Clock
  readonly #memory: Memory
  readonly #locks = new Map<string, Lock>()
  /** What a connection holds. */
  readonly #held = new Map<Client, Set<Lock>>()
  /** Numbers grow from one commons process to the next, too. */
  #fence = Date.now() * 1000

  constructor(clock: Clock, memory: Memory) {
    this.#clock = clock
    this.#memory = memory
  }

  /** The fencing number; null when another holds it; undefined when there is no room. */
  take(name: string, wish: Wish): number | null | undefined {
    const lock = this.#locks.get(name)
    if (lock !== undefined) {
      if (!this.#isOver(lock)) return isHolder(lock, wish) ? this.#renew(lock, wish) : null
      this.#free(lock)
      // Whoever waited has it now.
      if (this.#locks.has(name)) return this.take(name, wish)
    }
    if (!this.#memory.hasRoom(cost(name, wish))) return undefined
    this.#memory.used += cost(name, wish)
    const made: Lock = {
      name,
      wish,
      fence: 0,
      expires: never,
      timer: undefined,
      waiting: new Set(),
    }
    this.#locks.set(name, made)
    return this.#give(made, wish)
  }

  /** Puts `wish` behind those that wait already; returns how to give up. */
  wait(name: string, wish: Wish, got: Waiting['got']): () => void {
    const lock = this.#locks.get(name)!
    const waiting = { wish, got }
    lock.waiting.add(waiting)
    return () => lock.waiting.delete(waiting)
  }

  /** False when it is not held by this owner: its time may have been over. */
  release(name: string, client: Client, owner: string): boolean {
    const lock = this.#locks.get(name)
    if (lock === undefined || this.#isOver(lock) || !isHolder(lock, { client, owner })) return false
    this.#free(lock)
    return true
  }

  /** Name, fencing number, ms left (-1: no end), how many wait. */
  list(): readonly (readonly [string, number, number, number])[] {
    return [...this.#locks.values()]
      .filter((lock) => !this.#isOver(lock))
      .map(({ name, fence, expires, waiting }) => [
        name,
        fence,
        expires === never ? -1 : Math.ceil(expires - this.#clock.now),
        waiting.size,
      ])
  }

  #isOver(lock: Lock): boolean {
    return lock.expires <= this.#clock.now
  }

  #give(lock: Lock, wish: Wish): number {
    lock.wish = wish
    lock.fence = ++this.#fence
    this.#limit(lock, wish)
    if (!wish.keep) this.#heldBy(wish.client).add(lock)
    return lock.fence
  }

  #renew(lock: Lock, wish: Wish): number {
    this.#limit(lock, wish)
    return lock.fence
  }

  #limit(lock: Lock, { ttlMs }: Wish): void {
    clearTimeout(lock.timer)
    lock.expires = ttlMs === 0 ? never : this.#clock.now + ttlMs
    if (ttlMs === 0) return
    lock.timer = setTimeout(
      () => {
        this.#clock.read()
        this.#free(lock)
      },
      Math.min(ttlMs, LONGEST_MS),
    )
  }

  /** To the one that has waited longest, or to nobody. */
  #free(lock: Lock): void {
    clearTimeout(lock.timer)
    this.#held.get(lock.wish.client)?.delete(lock)
    this.#memory.used -= cost(lock.name, lock.wish)
    const [next] = lock.waiting
    if (next === undefined) {
      this.#locks.delete(lock.name)
      return
    }
    lock.waiting.delete(next)
    this.#memory.used += cost(lock.name, next.wish)
    next.got(this.#give(lock, next.wish))
  }

  #heldBy(client: Client): Set<Lock> {
    const known = this.#held.get(client)
    if (known !== undefined) return known
    const held = new Set<Lock>()
    this.#held.set(client, held)
    client.onLeave(() => {
      this.#held.delete(client)
      for (const lock of held) this.#free(lock)
    })
    return held
  }
}

function isHolder(lock: Lock, { client, owner }: Pick<Wish, 'client' | 'owner'>): boolean {
  if (lock.wish.owner !== owner) return false
  return owner !== '' || lock.wish.client === client
}

function cost(name: string, { owner }: Wish): number {
  return ENTRY_COST + ELEMENT_COST + name.length + owner.length
}
