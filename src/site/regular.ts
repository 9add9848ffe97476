/** What is to be known of a regular expression before visitors’ paths are matched with it. */
import { setFlagsFromString } from 'node:v8'

let ready = false

/**
 * Whether its time grows with the length of the text alone. V8 says so by its engine without
 * backtracking, to which server threads turn once the usual one takes long. Throws SyntaxError.
 */
export function isLinear(source: string): boolean {
  const groups = new RegExp(source)
  if (!ready) {
    ready = true
    setFlagsFromString('--enable-experimental-regexp-engine')
  }
  // Repetitions with large numbers are too large for it, not too slow.
  const small = groups.source.replace(/\{(\d+)(,?)(\d*)\}/g, (_, from, comma, to) =>
    Number(from) > 1 || Number(to) > 1
      ? comma === '' || to !== ''
        ? '{0,2}'
        : '{1,}'
      : `{${from}${comma}${to}}`,
  )
  try {
    return new RegExp(small, 'l').source !== ''
  } catch {
    return false
  }
}

/** How many groups it has. Throws SyntaxError. */
export function groupsOf(source: string): number {
  // An alternative that always matches shows it.
  return (new RegExp(`${new RegExp(source).source}|`).exec('')?.length ?? 1) - 1
}
