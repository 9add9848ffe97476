/** How long answers take to begin, as counts in shared memory: what 95 of 100 do not exceed. */

/** Four buckets to each doubling, from a microsecond to more than a minute. */
const PER_DOUBLING = 4
const BUCKETS = 27 * PER_DOUBLING
/** When the counts were halved last, in units of HALF_LIFE_MS. */
const HALVED = BUCKETS

/** Shared Int32 places that it needs. */
export const QUANTILE_CELLS = 112

/** After this, what was heard counts half, ms. */
const HALF_LIFE_MS = 10_000
/** Fewer say nothing. */
const LEAST_SAMPLES = 50
/** So long a figure found is good for, ms. */
const FRESH_MS = 250

export class Quantile {
  readonly #cells: Int32Array
  readonly #share: number
  #found: number | null = null
  #foundAt = Number.NEGATIVE_INFINITY

  /** `share`: 0.95 for the time that 95 of 100 do not exceed. */
  constructor(cells: Int32Array, share: number) {
    this.#cells = cells
    this.#share = share
  }

  /** Another one took `ms`. */
  learn(ms: number): void {
    const doublings = Math.log2(Math.max(1, ms * 1_000))
    const bucket = Math.min(BUCKETS - 1, Math.floor(doublings * PER_DOUBLING))
    Atomics.add(this.#cells, bucket, 1)
  }

  /** In ms, rounded up by a fifth at most; null: too little is known. */
  find(nowMs: number): number | null {
    if (nowMs - this.#foundAt < FRESH_MS) return this.#found
    this.#foundAt = nowMs
    this.#age(nowMs)
    let sum = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) sum += Atomics.load(this.#cells, bucket)
    this.#found = sum < LEAST_SAMPLES ? null : this.#boundOf(sum * this.#share)
    return this.#found
  }

  #boundOf(samples: number): number {
    let left = samples
    let bucket = 0
    while (bucket < BUCKETS - 1) {
      left -= Atomics.load(this.#cells, bucket)
      if (left <= 0) break
      bucket++
    }
    return 2 ** ((bucket + 1) / PER_DOUBLING) / 1_000
  }

  /** One of the threads halves the counts when it is time. */
  #age(nowMs: number): void {
    const cells = this.#cells
    const period = Math.floor((performance.timeOrigin + nowMs) / HALF_LIFE_MS) | 0
    const before = Atomics.load(cells, HALVED)
    if (before === period || Atomics.compareExchange(cells, HALVED, before, period) !== before)
      return
    if (before === 0) return
    const halvings = Math.min(31, period - before)
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = Atomics.load(cells, bucket)
      Atomics.sub(cells, bucket, count - (count >> halvings))
    }
  }
}
