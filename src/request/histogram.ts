/**
 * Hot: how long things took, as counts in fixed buckets of shared memory. A block is written by one thread
 * only, so noting a time is two plain stores; anybody may read and add up the blocks of all threads.
 */

/** Upper bounds of the buckets, ms, each inclusive; a last bucket has what took longer. */
export const BOUNDS_MS: readonly number[] = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000,
]

const BUCKETS = BOUNDS_MS.length + 1

/** Of a block: the sum of all times, then a count for each bucket. */
export const HISTOGRAM_PLACES: number = 1 + BUCKETS

/** Times that were noted; of one block, or of several added up. */
export interface Histogram {
  /** Of all times, ms. */
  readonly sumMs: number
  /** One for each bound and one beyond the last; not cumulative. */
  readonly counts: readonly number[]
}

/** Notes one time in the block at `at`. */
export function observe(block: Float64Array, at: number, ms: number): void {
  block[at]! += ms
  let bucket = 0
  // Most are short: the first comparisons find them.
  while (bucket < BUCKETS - 1 && ms > BOUNDS_MS[bucket]!) bucket++
  block[at + 1 + bucket]!++
}

/** What the block at `at` holds. */
export function readHistogram(block: Float64Array, at: number): Histogram {
  return {
    sumMs: block[at]!,
    counts: Array.from(block.subarray(at + 1, at + HISTOGRAM_PLACES)),
  }
}
