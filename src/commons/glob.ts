/** Redis's patterns of keys: `*`, `?`, `[a-c]`, `[^a]` and `\` before a character that means itself. */

/** Matching takes as long as pattern and text together make it: a longer pattern is nobody's. */
export const LONGEST_PATTERN = 256

/** Goes back to the last star only, so its time is bounded by the product of the lengths. */
export function matches(pattern: string, text: string): boolean {
  let at = 0
  let place = 0
  let starAt = -1
  let starPlace = 0
  while (place < text.length) {
    const next = at < pattern.length ? step(pattern, at, text[place]!) : -1
    if (pattern[at] === '*') {
      starAt = ++at
      starPlace = place
    } else if (next > 0) {
      at = next
      place++
    } else if (starAt >= 0) {
      at = starAt
      place = ++starPlace
    } else return false
  }
  while (pattern[at] === '*') at++
  return at >= pattern.length
}

/** Where the pattern goes on when what is at `at` matches `character`, else -1. */
function step(pattern: string, at: number, character: string): number {
  switch (pattern[at]) {
    case '?':
      return at + 1
    case '[':
      return oneOf(pattern, at + 1, character)
    case '\\':
      if (at + 1 < pattern.length) return pattern[at + 1] === character ? at + 2 : -1
  }
  return pattern[at] === character ? at + 1 : -1
}

/** A set that is left open reaches to the pattern's end, as in Redis. */
function oneOf(pattern: string, from: number, character: string): number {
  let at = from
  const not = pattern[at] === '^'
  if (not) at++
  let found = false
  while (at < pattern.length && pattern[at] !== ']') {
    if (pattern[at] === '\\' && at + 1 < pattern.length) {
      at++
      if (pattern[at] === character) found = true
      at++
    } else if (pattern[at + 1] === '-' && at + 2 < pattern.length) {
      const [low, high] = [pattern[at]!, pattern[at + 2]!].sort()
      if (character >= low! && character <= high!) found = true
      at += 3
    } else {
      if (pattern[at] === character) found = true
      at++
    }
  }
  if (found === not) return -1
  return Math.min(at + 1, pattern.length)
}
