/**
 * Whose turn it is, by weight, exactly over all threads without a lock: turns follow a fixed sequence,
 * which only depends on the weights, and what threads share is how many turns were taken.
 */
import { type Asked, type Backend, isOpen } from './scheduler.ts'

/** Shared Int32 places that turns need. */
export const TURN_CELLS = 1

export class Turns {
  /** How many turns were taken. */
  readonly #taken: Int32Array
  readonly #smooth: boolean
  #backends: readonly Backend[] = []
  #sequence: Sequence | null = null
  /** Of turns given to others, of this thread. */
  #riches: number[] = []

  /** `smooth`: see `smoothTurn`; else as LVS does it. */
  constructor(cells: Int32Array, smooth = true) {
    this.#taken = cells
    this.#smooth = smooth
  }

  /** Takes a turn: the index of whose it is, be it ready or not; -1: nobody has weight. */
  next(backends: readonly Backend[]): number {
    if (backends !== this.#backends) this.#begin(backends)
    const sequence = this.#sequence
    if (sequence === null) return -1
    return sequence.at(Atomics.add(this.#taken, 0, 1) >>> 0)
  }

  /** Who takes a turn in place of one that cannot: the others by their weights; -1: nobody is open. */
  instead(backends: readonly Backend[], asked: Asked): number {
    if (backends !== this.#backends) this.#begin(backends)
    return smoothTurn(backends, this.#riches, asked)
  }

  #begin(backends: readonly Backend[]): void {
    this.#backends = backends
    this.#riches = backends.map(() => 0)
    const weights = backends.map(({ weight }) => weight)
    const divisor = weights.reduce(gcd, 0)
    if (divisor === 0) this.#sequence = null
    else {
      const reduced = weights.map((weight) => weight / divisor)
      this.#sequence = this.#smooth ? new SmoothSequence(reduced) : new SteppedSequence(reduced)
    }
  }
}

/** Repeats for ever. */
interface Sequence {
  /** Whose the `turn`th turn is, from 0. */
  at(turn: number): number
}

/** As nginx has it. Found out turn by turn, then known. */
class SmoothSequence implements Sequence {
  readonly #weights: readonly number[]
  readonly #period: number
  readonly #riches: number[]
  readonly #known: number[] = []

  constructor(weights: readonly number[]) {
    this.#weights = weights
    this.#riches = weights.map(() => 0)
    this.#period = weights.reduce((sum, weight) => sum + weight, 0)
  }

  at(turn: number): number {
    const place = turn % this.#period
    while (this.#known.length <= place) this.#known.push(this.#find())
    return this.#known[place]!
  }

  #find(): number {
    let best = -1
    for (let at = 0; at < this.#weights.length; at++) {
      const weight = this.#weights[at]!
      if (weight === 0) continue
      this.#riches[at]! += weight
      if (best < 0 || this.#riches[at]! > this.#riches[best]!) best = at
    }
    this.#riches[best]! -= this.#period
    return best
  }
}

/** As LVS has it: the required weight steps down from the highest, and whoever has it takes a turn. */
class SteppedSequence implements Sequence {
  readonly #turns: number[] = []

  constructor(weights: readonly number[]) {
    for (let required = Math.max(...weights); required > 0; required--) {
      for (const [at, weight] of weights.entries()) if (weight >= required) this.#turns.push(at)
    }
  }

  at(turn: number): number {
    return this.#turns[turn % this.#turns.length]!
  }
}

/**
 * One turn of smooth weighted round robin among those that are open: every one gains its weight, the
 * richest is chosen and pays the sum. Weights 5, 1, 1 give a a b a c a a, not a a a a a b c.
 */
function smoothTurn(backends: readonly Backend[], riches: number[], asked: Asked): number {
  let best = -1
  let sum = 0
  for (let at = 0; at < backends.length; at++) {
    const backend = backends[at]!
    if (!isOpen(backend, at, asked)) continue
    sum += backend.weight
    riches[at]! += backend.weight
    if (best < 0 || riches[at]! > riches[best]!) best = at
  }
  if (best >= 0) riches[best]! -= sum
  return best
}

/** The weights' scale does not matter, and a shorter sequence is found sooner. */
export function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
