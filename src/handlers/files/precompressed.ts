/** Files compressed beforehand: which coding a visitor gets (RFC 9110 §12.5.3). Pure. */
import { parseWeights } from '../../wire/accept.ts'
import { Memo } from '../../wire/memo.ts'

export interface Coding {
  readonly name: string
  /** What the compressed file's name ends in. */
  readonly suffix: string
}

/** The smallest first: it wins where a visitor likes several alike. */
export const CODINGS: readonly Coding[] = [
  { name: 'br', suffix: '.br' },
  { name: 'zstd', suffix: '.zst' },
  { name: 'gzip', suffix: '.gz' },
]

/** Browsers send a handful of different fields. */
const known = new Memo<ReadonlyMap<string, number>>(256)

function weightsOf(acceptEncoding: string): ReadonlyMap<string, number> {
  const weights = known.get(acceptEncoding)
  if (weights !== undefined) return weights
  return known.put(acceptEncoding, parseWeights(acceptEncoding), () =>
    Buffer.from(acceptEncoding, 'latin1').toString('latin1'),
  )
}

/**
 * The index in `available` (names of codings, the best first) of the one to send; -1 for the file as it
 * is. A coding is sent where its weight is the highest of all, and not below one given to `identity`.
 */
export function chooseCoding(acceptEncoding: string | null, available: readonly string[]): number {
  if (acceptEncoding === null || available.length === 0) return -1
  const weights = weightsOf(acceptEncoding)
  const other = weights.get('*') ?? 0
  let best = -1
  // Unless it is named, `identity` is only what remains.
  let bestWeight = weights.get('identity') ?? 0
  for (let i = 0; i < available.length; i++) {
    const name = available[i]!
    // RFC 9110 §8.4.1.3: x-gzip is the same.
    const named = weights.get(name) ?? (name === 'gzip' ? weights.get('x-gzip') : undefined)
    const weight = named ?? other
    if (weight > 0 && (weight > bestWeight || (best < 0 && weight === bestWeight))) {
      best = i
      bestWeight = weight
    }
  }
  return best
}

/**
 * Whether a compressed file may stand for its original: it must not be older. (nginx and Caddy send it
 * regardless, and with it what was edited away.) Whole seconds, since archives keep no more.
 */
export function isCurrent(compressedMs: number, originalMs: number): boolean {
  return Math.floor(compressedMs / 1000) >= Math.floor(originalMs / 1000)
}
