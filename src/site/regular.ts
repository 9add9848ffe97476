/** What is to be known of a regular expression before visitors’ paths are matched with it. */
import { setFlagsFromString } from 'node:v8'

let ready = false

/**
 * Whether its time grows with the length of the text alone. V8 says so by its engine without
 * backtracking, to which server threads turn once the usual one takes long. Throws SyntaxError.
 */
export function isLinear(source: string): boolean {
  const { source: text } = new RegExp(source)
  if (!ready) {
    ready = true
    setFlagsFromString('--enable-experimental-regexp-engine')
  }
  if (isKnown(text)) return true
  // Repetitions with large numbers are too large for it: then the usual engine has to do, and may where
  // nothing can be divided in more than one way.
  const small = text.replace(/\{(\d+)(,?)(\d*)\}/g, (_, from, comma, to) =>
    Number(from) > 1 || Number(to) > 1
      ? comma === '' || to !== ''
        ? '{0,2}'
        : '{1,}'
      : `{${from}${comma}${to}}`,
  )
  return isKnown(small) && isOneWay(text)
}

/** Whether the engine without backtracking takes it. */
function isKnown(source: string): boolean {
  try {
    return new RegExp(source, 'l').source !== ''
  } catch {
    return false
  }
}

/** It begins where the text does, repeats no group, and no more than one character so often as it likes. */
function isOneWay(source: string): boolean {
  const plain = source.replace(/\\.|\[(?:\\.|[^\]\\])*\]/gs, 'x')
  if (!plain.startsWith('^') || /\)[*+{]/.test(plain)) return false
  let within = plain
  for (let before = ''; within !== before; ) {
    before = within
    within = within.replace(/\([^()]*\)/g, 'x')
  }
  return !within.includes('|') && (plain.match(/[*+]|\{\d+,\d*\}/g)?.length ?? 0) <= 1
}

/** How many groups it has. Throws SyntaxError. */
export function groupsOf(source: string): number {
  // An alternative that always matches shows it.
  return (new RegExp(`${new RegExp(source).source}|`).exec('')?.length ?? 1) - 1
}
