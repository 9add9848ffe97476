/** How fast something grows, and how sure that is. */

export interface Sample {
  /** Seconds. */
  readonly at: number
  readonly value: number
}

export interface Slope {
  /** A second. */
  readonly each: number
  /** Half the width of the interval in which the true slope lies with 95%. */
  readonly sure: number
}

/** Blocks of samples: more would depend on each other, since memory is given back now and then. */
const BLOCKS = 24
const FEWEST = 4

/**
 * Least squares over the medians of blocks; null where there is too little for an interval. Memory goes
 * up and down with collections, so samples beside each other are no witnesses of their own: blocks are.
 */
export function slopeOf(samples: readonly Sample[]): Slope | null {
  const points = blocks(samples)
  if (points.length < FEWEST) return null
  const count = points.length
  const meanAt = mean(points.map(({ at }) => at))
  const meanValue = mean(points.map(({ value }) => value))
  let spread = 0
  let common = 0
  for (const { at, value } of points) {
    spread += (at - meanAt) ** 2
    common += (at - meanAt) * (value - meanValue)
  }
  if (spread === 0) return null
  const each = common / spread
  const rest = points.map(({ at, value }) => value - meanValue - each * (at - meanAt))
  const squares = rest.reduce((sum, one) => sum + one * one, 0)
  // What is left of a block's distance from the line in the next one: they count for fewer then.
  const echo =
    squares === 0 ? 0 : rest.slice(1).reduce((sum, one, i) => sum + one * rest[i]!, 0) / squares
  const lasting = Math.min(0.9, Math.max(0, echo))
  const free = Math.max(1, (count * (1 - lasting)) / (1 + lasting) - 2)
  return { each, sure: student(free) * Math.sqrt(squares / free / spread) }
}

/** As many equally long spans of time, each with its median. */
function blocks(samples: readonly Sample[]): Sample[] {
  if (samples.length <= BLOCKS) return [...samples]
  return Array.from({ length: BLOCKS }, (_, i) => {
    const from = Math.floor((i * samples.length) / BLOCKS)
    const part = samples.slice(from, Math.floor(((i + 1) * samples.length) / BLOCKS))
    const sorted = part.map(({ value }) => value).sort((a, b) => a - b)
    return { at: mean(part.map(({ at }) => at)), value: sorted[sorted.length >> 1]! }
  })
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length
}

/** Student's t for 95%, by degrees of freedom; rather too much between the rows. */
function student(free: number): number {
  const rows = [
    [1, 12.71],
    [2, 4.3],
    [3, 3.18],
    [4, 2.78],
    [5, 2.57],
    [7, 2.36],
    [10, 2.23],
    [15, 2.13],
    [20, 2.09],
  ] as const
  return rows.findLast(([from]) => free >= from)?.[1] ?? 12.71
}
