/**
 * Whose each visitor is, exactly the same for all threads: a SharedTable whose entries have a server and the
 * second after which they are forgotten. Where more visitors come than there are places, who was not seen
 * for longest goes.
 */
import { SharedTable, WAYS } from '../filters/limit/table.ts'
import { NOBODY } from './persistence.ts'

/** Offsets in an entry's own 8 bytes. The server is counted from 1: fresh memory holds nobody. */
const SERVER = 0
const UNTIL = 1

export class Belongings {
  readonly #table: SharedTable
  readonly #timeoutS: number
  readonly #now: () => number

  /** `now`: whole seconds, the same for all threads, from 1 on. */
  constructor(memory: SharedArrayBuffer, timeoutS: number, now: () => number = seconds) {
    this.#table = new SharedTable(memory)
    this.#timeoutS = timeoutS
    this.#now = now
  }

  /**
   * Twice as many as are remembered, since sets fill unevenly: hardly anybody goes before it must. `key`: of
   * the hash, 8 secret bytes in hex; by default new ones.
   */
  static allocate(entries: number, key = ''): SharedArrayBuffer {
    const memory = SharedTable.allocate(2 * entries)
    if (key !== '') new Uint8Array(memory).set(Buffer.from(key, 'hex').subarray(0, 8))
    return memory
  }

  /** Whose it is, or NOBODY. Who was found is remembered from now on for the whole time again. */
  find(key: string): number {
    const table = this.#table
    const { cells } = table
    table.hash.of(key)
    const set = table.set()
    const now = this.#now()
    table.lock(set)
    const place = table.find(set)
    let server = NOBODY
    if (place !== 0 && cells[place + UNTIL]! > now) {
      server = cells[place + SERVER]! - 1
      cells[place + UNTIL] = now + this.#timeoutS
    }
    table.unlock(set)
    return server
  }

  /** It is `server`'s from now on. */
  put(key: string, server: number): void {
    this.#change(key, server, (_known) => true)
  }

  /**
   * It is `server`'s from now on, if it is still `before`'s or nobody's. Whose it is.
   */
  settle(key: string, before: number, server: number): number {
    return this.#change(key, server, (known) => known === NOBODY || known === before)
  }

  /** Whoever is remembered: hash (two places), server, until when; at most so many, the last ones to come. */
  tell(most: number): Int32Array<ArrayBuffer> {
    const { cells } = this.#table
    const now = this.#now()
    const found: (readonly [number, number, number, number])[] = []
    const last = this.#table.setOf(cells.length - 1)
    for (let set = last; set > 0; set = this.#table.setOf(set - 1)) {
      this.#table.lock(set)
      for (let way = 0; way < WAYS; way++) {
        const place = this.#table.place(set, way)
        const until = cells[place + UNTIL]!
        if (until <= now) continue
        found.push([cells[place - 2]!, cells[place - 1]!, cells[place + SERVER]! - 1, until])
      }
      this.#table.unlock(set)
    }
    if (found.length > most) found.sort((one, other) => other[3] - one[3]).length = most
    return Int32Array.from(found.flat())
  }

  /** What another table with the same key has told; `serverOf`: its servers here, below 0 where they are not. */
  take(told: Int32Array, serverOf: (server: number) => number): void {
    const table = this.#table
    const { cells } = table
    for (let at = 0; at + 3 < told.length; at += 4) {
      const server = serverOf(told[at + 2]!)
      if (server < 0) continue
      table.hash.recall(told[at]!, told[at + 1]!)
      const set = table.set()
      table.lock(set)
      let place = table.find(set)
      if (place === 0) {
        place = this.#oldest(set)
        table.own(place)
      }
      cells[place + SERVER] = server + 1
      cells[place + UNTIL] = told[at + 3]!
      table.unlock(set)
    }
  }

  #change(key: string, server: number, may: (known: number) => boolean): number {
    const table = this.#table
    const { cells } = table
    table.hash.of(key)
    const set = table.set()
    const now = this.#now()
    table.lock(set)
    let place = table.find(set)
    if (place === 0) {
      place = this.#oldest(set)
      table.own(place)
      cells[place + SERVER] = 0
    }
    const known = cells[place + UNTIL]! > now ? cells[place + SERVER]! - 1 : NOBODY
    const whose = may(known) ? server : known
    cells[place + SERVER] = whose + 1
    cells[place + UNTIL] = now + this.#timeoutS
    table.unlock(set)
    return whose
  }

  /** The entry that is over, or will be first. */
  #oldest(set: number): number {
    const { cells } = this.#table
    let best = this.#table.place(set, 0)
    for (let way = 1; way < WAYS; way++) {
      const place = this.#table.place(set, way)
      if (cells[place + UNTIL]! < cells[best + UNTIL]!) best = place
    }
    return best
  }
}

/** Since the machine began: all threads count alike. */
export function seconds(): number {
  return process.hrtime()[0] + 1
}
