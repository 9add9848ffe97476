/** Requests in hand at a time, of each visitor, over all threads. An entry that counts is never given away. */
import { SharedTable, WAYS } from './table.ts'

export class Crowds {
  readonly #table: SharedTable

  constructor(memory: SharedArrayBuffer) {
    this.#table = new SharedTable(memory)
  }

  /**
   * One more request of `key`, where fewer than `most` are in hand: its place, for `leave`; 0: there are
   * as many already. Without a free entry nobody new is let in: the table is made for many times as many
   * visitors as there can be connections.
   */
  enter(key: string, most: number): number {
    const table = this.#table
    const { cells } = table
    table.hash.of(key)
    const set = table.set()
    table.lock(set)
    let place = table.find(set)
    if (place === 0) {
      place = this.#free(set)
      if (place !== 0) table.own(place)
    }
    const enters = place !== 0 && cells[place]! < most
    if (enters) cells[place]!++
    table.unlock(set)
    return enters ? place : 0
  }

  leave(place: number): void {
    const set = this.#table.setOf(place)
    this.#table.lock(set)
    this.#table.cells[place]!--
    this.#table.unlock(set)
  }

  #free(set: number): number {
    for (let way = 0; way < WAYS; way++) {
      const place = this.#table.place(set, way)
      if (this.#table.cells[place] === 0) return place
    }
    return 0
  }
}
