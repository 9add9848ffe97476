/** The name that was probably meant. */

/** Longer names are not compared: nobody mistypes a whole sentence into a key. */
const LONGEST = 64

/**
 * The candidate with the fewest edits from `name` (insert, delete, replace, swap of neighbours), or ''
 * when even the best is another word: more than one edit for every three letters.
 */
export function nearest(name: string, candidates: Iterable<string>): string {
  const wanted = name.toLowerCase()
  if (wanted.length === 0 || wanted.length > LONGEST) return ''
  let best = ''
  let fewest = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of candidates) {
    const known = candidate.toLowerCase()
    if (Math.abs(known.length - wanted.length) >= fewest) continue
    const edits = distance(wanted, known)
    if (edits < fewest) {
      fewest = edits
      best = candidate
    }
  }
  return best
}

/** Optimal string alignment distance. */
export function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let edits = Math.min(
        last[j - 1]! + (same ? 0 : 1), // replace
        last[j]! + 1, // delete
        row[j - 1]! + 1, // insert
      )
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, beforeLast[j - 2]! + 1) // swap
      }
      row.push(edits)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
