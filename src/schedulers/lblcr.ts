/**
 * Locality-based least connections with replication, as LVS has it for caches: a destination has a set of
 * backends; the least loaded of them is asked, and when that one is crowded, the least loaded of all joins
 * the set. A set that was not changed for a day loses its most loaded member.
 */
import { clock } from '../request/clock.ts'
import { isCrowded } from './crowded.ts'
import { Destinations, EXPIRES_S } from './destinations.ts'
import type { ReadKey } from './keys.ts'
import { leastOf, overhead } from './least.ts'
import { type Asked, type Backend, choosing, type Scheduler } from './scheduler.ts'
import { WLC } from './wlc.ts'

/** Of a destination: when its set was changed, s, then a bit for each backend. */
export function lblcrWords(backends: number): number {
  return 1 + Math.ceil(backends / 32)
}

export function lblcr(destination: ReadKey, cells: Int32Array, most: number): Scheduler {
  const destinations = new Destinations(cells, lblcrWords(most))
  return choosing('lblcr', (backends, key, asked) => {
    const set = new ServerSet(cells, destinations.entry(destination(key)), backends, asked)
    if (set.size > 1 && clock.second - set.changed > EXPIRES_S) set.dropMost()
    const own = leastOf(backends, set, WLC)
    if (own >= 0 && !isCrowded(backends[own]!, backends)) return own
    const at = leastOf(backends, asked, WLC)
    if (at >= 0) set.add(at)
    return at
  })
}

/** The backends of one destination; for whoever chooses among them, the others are out of the question. */
class ServerSet {
  readonly #cells: Int32Array
  /** When it was changed; the bits follow. */
  readonly #entry: number
  readonly #backends: readonly Backend[]
  readonly #asked: Asked

  constructor(cells: Int32Array, entry: number, backends: readonly Backend[], asked: Asked) {
    this.#cells = cells
    this.#entry = entry
    this.#backends = backends
    this.#asked = asked
  }

  /** Whether it is no member, or was asked already. */
  has(at: number): boolean {
    return !this.#holds(at) || this.#asked?.has(at) === true
  }

  get changed(): number {
    return Atomics.load(this.#cells, this.#entry)
  }

  get size(): number {
    let count = 0
    for (let at = 0; at < this.#backends.length; at++) if (this.#holds(at)) count++
    return count
  }

  add(at: number): void {
    const before = Atomics.or(this.#cells, this.#word(at), 1 << (at & 31))
    if ((before & (1 << (at & 31))) === 0) this.#touch()
  }

  dropMost(): void {
    let most = -1
    for (const [at, backend] of this.#backends.entries()) {
      if (!this.#holds(at) || backend.weight === 0) continue
      const than = this.#backends[most]
      if (than === undefined || overhead(backend) * than.weight > overhead(than) * backend.weight)
        most = at
    }
    if (most < 0) return
    Atomics.and(this.#cells, this.#word(most), ~(1 << (most & 31)))
    this.#touch()
  }

  #holds(at: number): boolean {
    return (Atomics.load(this.#cells, this.#word(at)) & (1 << (at & 31))) !== 0
  }

  #word(at: number): number {
    return this.#entry + 1 + (at >> 5)
  }

  #touch(): void {
    Atomics.store(this.#cells, this.#entry, clock.second)
  }
}
