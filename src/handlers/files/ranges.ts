/** The Range field for bytes (RFC 9110 §14). Pure. */

/** A part of the file: `[from, from + length)`. */
export interface Slice {
  readonly from: number
  readonly length: number
}

/** More ranges than this are an attack on our work rather than a wish: the whole file is sent. */
export const MOST_RANGES = 16

/** `bytes=` and what follows; digits are bounded so that a number stays one. */
const FIELD = /^bytes=([\d\-, \t]+)$/i
const SPEC = /^(\d*)-(\d*)$/

/**
 * What of a file of `size` bytes to send: slices in the order asked for, `'whole'` when the field is to
 * be ignored (malformed, another unit, too many or overlapping ranges: §14.2 lets us), or `'none'` when
 * no range can be satisfied (416).
 */
export function selectRanges(field: string, size: number): readonly Slice[] | 'whole' | 'none' {
  const match = FIELD.exec(field)
  if (match === null) return 'whole'
  const slices: Slice[] = []
  let asked = 0
  for (const member of match[1]!.split(',')) {
    const text = member.trim()
    // Empty members of a list are allowed (§5.6.1.2).
    if (text === '') continue
    if (++asked > MOST_RANGES) return 'whole'
    const spec = SPEC.exec(text)
    if (spec === null || (spec[1] === '' && spec[2] === '')) return 'whole'
    if (spec[1] === '') {
      const length = Math.min(Number(spec[2]), size)
      // The end of an empty file is the whole of it, and no Content-Range can say so.
      if (size === 0 && Number(spec[2]) > 0) return 'whole'
      if (length > 0) slices.push({ from: size - length, length })
    } else {
      const from = Number(spec[1])
      const last = spec[2] === '' ? Number.POSITIVE_INFINITY : Number(spec[2])
      if (last < from) return 'whole'
      if (from < size) slices.push({ from, length: Math.min(last, size - 1) - from + 1 })
    }
  }
  if (asked === 0) return 'whole'
  if (slices.length === 0) return 'none'
  return overlap(slices) ? 'whole' : slices
}

function overlap(slices: readonly Slice[]): boolean {
  if (slices.length === 1) return false
  const sorted = slices.toSorted((a, b) => a.from - b.from)
  return sorted.some(
    (slice, i) => i > 0 && sorted[i - 1]!.from + sorted[i - 1]!.length > slice.from,
  )
}
