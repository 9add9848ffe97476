/** Arithmetic with histograms of times. */
import { BOUNDS_MS, HISTOGRAM_PLACES, type Histogram } from '../request/histogram.ts'

export const noTimes: Histogram = {
  sumMs: 0,
  counts: new Array<number>(HISTOGRAM_PLACES - 1).fill(0),
}

export function addTimes(one: Histogram, other: Histogram): Histogram {
  return {
    sumMs: one.sumMs + other.sumMs,
    counts: one.counts.map((count, i) => count + (other.counts[i] ?? 0)),
  }
}

/** What came between `before` and `after`; all of `after` where it has begun anew since. */
export function timesSince(after: Histogram, before: Histogram | undefined): Histogram {
  if (before === undefined || countOf(after) < countOf(before)) return after
  return {
    sumMs: Math.max(0, after.sumMs - before.sumMs),
    counts: after.counts.map((count, i) => Math.max(0, count - (before.counts[i] ?? 0))),
  }
}

export function countOf({ counts }: Histogram): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/** ms; 0 when there were none. */
export function meanOf(times: Histogram): number {
  const count = countOf(times)
  return count === 0 ? 0 : times.sumMs / count
}

/**
 * The time, ms, that a share `q` of all was not above, as near as the buckets tell: by interpolation in the
 * one that it is in. What was longer than the last bound counts as that. 0 when there were none.
 */
export function quantile(times: Histogram, q: number): number {
  const rank = countOf(times) * q
  if (rank === 0) return 0
  let below = 0
  for (const [i, count] of times.counts.entries()) {
    const upper = BOUNDS_MS[i]
    if (upper === undefined) break
    if (below + count >= rank && count > 0) {
      const lower = BOUNDS_MS[i - 1] ?? 0
      return lower + (upper - lower) * ((rank - below) / count)
    }
    below += count
  }
  return BOUNDS_MS.at(-1)!
}
