/** Hot: the keys of one numbered database. Expiry is exact whenever a key is asked for. */
import { type Clock, never } from './clock.ts'
import { Entry, type Value } from './entry.ts'
import { ENTRY_COST, type Memory } from './memory.ts'
import type { Sieve } from './sieve.ts'

let serials = 0
let versions = 0

export class Keyspace {
  readonly number: number
  readonly #entries = new Map<string, Entry>()
  readonly #clock: Clock
  readonly #memory: Memory
  readonly #sieve: Sieve
  /** Keys that expire. */
  expiring = 0
  expired = 0

  constructor(number: number, clock: Clock, memory: Memory, sieve: Sieve) {
    this.number = number
    this.#clock = clock
    this.#memory = memory
    this.#sieve = sieve
  }

  /** Keys, those that have expired and were not met since included. */
  get size(): number {
    return this.#entries.size
  }

  get(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.expires > this.#clock.now) return entry
    this.expire(entry)
    return undefined
  }

  /** Of the newest key of all; a key that comes later has a larger one. */
  get lastSerial(): number {
    return serials
  }

  /** The order is that of `serial`. Those that have expired may be among them. */
  entries(): MapIterator<Entry> {
    return this.#entries.values()
  }

  isExpired(entry: Entry): boolean {
    return entry.expires <= this.#clock.now
  }

  expire(entry: Entry): void {
    this.expired++
    this.remove(entry)
  }

  /**
   * Makes `value` what `key` holds, from now on without an end; the entry, or null when there is no room,
   * and then all is as it was. `cost`: of the value.
   */
  put(key: string, value: Value, cost: number): Entry | null {
    const whole = ENTRY_COST + key.length + cost
    const known = this.#entries.get(key)
    if (known === undefined) {
      if (!this.#memory.hasRoom(whole)) return null
      const entry = new Entry(this, key, value)
      entry.serial = ++serials
      this.#entries.set(key, entry)
      entry.cost = whole
      entry.version = ++versions
      this.#memory.used += whole
      if (typeof value === 'string') this.#sieve.add(entry)
      return entry
    }
    if (!this.#grow(known, whole)) return null
    const wasString = typeof known.value === 'string'
    const isString = typeof value === 'string'
    if (wasString && !isString) this.#sieve.remove(known)
    if (!wasString && isString) this.#sieve.add(known)
    if (wasString && isString) known.visited = true
    known.value = value
    known.flags = 0
    known.version = ++versions
    this.expireAt(known, never)
    return known
  }

  /** Another string for an entry that keeps its end and its flags; false when there is no room. */
  change(entry: Entry, value: string): boolean {
    if (!this.#grow(entry, ENTRY_COST + entry.key.length + value.length)) return false
    entry.value = value
    entry.visited = true
    entry.version = ++versions
    return true
  }

  /** What a list or a hash holds costs `bytes` more; false when there is no room. */
  charge(entry: Entry, bytes: number): boolean {
    if (bytes > 0 && !this.#memory.hasRoom(bytes)) return false
    entry.cost += bytes
    entry.version = ++versions
    this.#memory.used += bytes
    return true
  }

  expireAt(entry: Entry, at: number): void {
    if (entry.expires !== never) this.expiring--
    if (at !== never) this.expiring++
    entry.expires = at
  }

  remove(entry: Entry): void {
    if (!this.#entries.delete(entry.key)) return
    this.#memory.used -= entry.cost
    if (entry.expires !== never) this.expiring--
    if (typeof entry.value === 'string') this.#sieve.remove(entry)
  }

  /** Removes all of them, or the strings, whose keys begin with `prefix`; how many those were. */
  clear(which: 'all' | 'strings', prefix = ''): number {
    let removed = 0
    for (const entry of this.#entries.values()) {
      if (which === 'strings' && typeof entry.value !== 'string') continue
      if (!entry.key.startsWith(prefix)) continue
      this.remove(entry)
      removed++
    }
    return removed
  }

  /** Makes room for it to cost `whole`; it itself may not be what is given up for that. */
  #grow(entry: Entry, whole: number): boolean {
    const more = whole - entry.cost
    if (more > 0) {
      const isString = typeof entry.value === 'string'
      if (isString) this.#sieve.remove(entry)
      const fits = this.#memory.hasRoom(more)
      if (isString) this.#sieve.add(entry)
      if (!fits) return false
    }
    entry.cost = whole
    this.#memory.used += more
    return true
  }
}
