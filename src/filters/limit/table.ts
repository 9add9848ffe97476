/**
 * What all threads of a server know together of each visitor: a table of a fixed size in shared memory.
 * Hot: its entries lie in sets of seven, each set behind a lock of its own (compare-and-swap) that is held
 * for a few loads and stores, so that counts are exact over all threads. A set is two cache lines:
 *
 *     lock · · ·   │ 7 × { hash low, hash high, 8 bytes of the table's own }
 */
import { randomBytes } from 'node:crypto'
import { type KeyHash, keyHash } from './key-hash.ts'

export const WAYS = 7
/** Int32 places of a set, and of the head before the first one, which holds the hash's key. */
const SET = 32
const FIRST = 4
const ENTRY = 4
/** Then whoever has the lock was taken off its core: let it go on. */
const MOST_SPINS = 2_000
const REST_MS = 1

export class SharedTable {
  /** Where an entry's own 8 bytes are: as numbers, by `place`, or as Float64, by `place / 2`. */
  readonly cells: Int32Array<SharedArrayBuffer>
  readonly hash: KeyHash
  readonly #sets: number

  constructor(memory: SharedArrayBuffer) {
    this.cells = new Int32Array(memory)
    this.#sets = this.cells.length / SET - 1
    this.hash = keyHash(this.cells[0]!, this.cells[1]!)
  }

  /** For so many entries that are used at a time; sets fill unevenly, so there are half as many more. */
  static allocate(entries: number): SharedArrayBuffer {
    const sets = Math.ceil((entries * 1.5) / WAYS)
    const cells = new Int32Array(new SharedArrayBuffer((sets + 1) * SET * 4))
    const key = randomBytes(8)
    cells[0] = key.readInt32LE(0)
    cells[1] = key.readInt32LE(4)
    return cells.buffer
  }

  /** The set of the key that was hashed last. */
  set(): number {
    return (((this.hash.high >>> 0) % this.#sets) + 1) * SET
  }

  setOf(place: number): number {
    return place - (place % SET)
  }

  /** Waits for the lock of a set. Nothing that may throw or wait comes before `unlock`. */
  lock(set: number): void {
    for (let spins = 0; Atomics.compareExchange(this.cells, set, 0, 1) !== 0; spins++) {
      if (spins > MOST_SPINS) Atomics.wait(this.cells, set, 1, REST_MS)
    }
  }

  unlock(set: number): void {
    Atomics.store(this.cells, set, 0)
  }

  /** Of the entry that is hashed last: its own place; 0: it has none. Under the lock. */
  find(set: number): number {
    const { cells } = this
    const { low, high } = this.hash
    for (let way = 0; way < WAYS; way++) {
      const at = set + FIRST + way * ENTRY
      if (cells[at] === low && cells[at + 1] === high) return at + 2
    }
    return 0
  }

  /** The own place of an entry by its number in the set. */
  place(set: number, way: number): number {
    return set + FIRST + way * ENTRY + 2
  }

  /** The entry at that place is now that of the key which was hashed last. */
  own(place: number): void {
    this.cells[place - 2] = this.hash.low
    this.cells[place - 1] = this.hash.high
  }
}
