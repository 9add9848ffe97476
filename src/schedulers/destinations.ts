/**
 * What lblc and lblcr remember of destinations, shared by threads: a table of as many places as LVS keeps
 * at most. Destinations that share a place share what is remembered, so it never grows and needs no lock.
 */
import { clock } from '../request/clock.ts'
import { addressNumber } from './address-number.ts'
import { hash32 } from './buckets.ts'

const BITS = 14
const PLACES: number = 1 << BITS
/** A destination that nobody asked for in this time is forgotten, s. */
export const EXPIRES_S = 86_400

const SEEN = 0
/** Where an entry's own words begin. */
const OWN = 1

/** Shared Int32 places for `words` a destination. */
export function destinationCells(words: number): number {
  return PLACES * (OWN + words)
}

export class Destinations {
  readonly #cells: Int32Array
  readonly #step: number

  constructor(cells: Int32Array, words: number) {
    this.#cells = cells
    this.#step = OWN + words
  }

  /** Where the words of a destination are; all 0 when it was not remembered. */
  entry(destination: string): number {
    const base = hash32(addressNumber(destination), BITS) * this.#step
    const cells = this.#cells
    const now = clock.second
    const seen = Atomics.load(cells, base + SEEN)
    if (seen === now) return base + OWN
    if (now - seen > EXPIRES_S) {
      for (let at = base + OWN; at < base + this.#step; at++) Atomics.store(cells, at, 0)
    }
    Atomics.store(cells, base + SEEN, now)
    return base + OWN
  }
}
