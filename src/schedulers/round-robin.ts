/**
 * Smooth weighted round robin, as nginx and LVS know it: each turn every backend gains its weight, the
 * richest is chosen and pays the sum. Weights 5, 1, 1 give a a b a c a a, not a a a a a b c.
 */
import type { Backend, Scheduler } from './scheduler.ts'

/** Riches of each member of a list, by index. */
type Riches = number[]

export function roundRobin(): Scheduler {
  const known = new WeakMap<readonly Backend[], Riches>()

  function* order<B extends Backend>(backends: readonly B[]): Iterator<B, undefined> {
    let riches = known.get(backends)
    if (riches === undefined) {
      riches = backends.map(() => 0)
      known.set(backends, riches)
    }
    const first = turn(backends, riches)
    if (first < 0) return undefined
    yield backends[first]!
    // Only after a failure: the others as they would come next.
    const next = [...backends.keys()].filter((at) => at !== first && backends[at]!.weight > 0)
    const rich = riches
    next.sort((a, b) => rich[b]! + backends[b]!.weight - rich[a]! - backends[a]!.weight || a - b)
    for (const at of next) yield backends[at]!
    return undefined
  }

  return { name: 'round-robin', order }
}

/** One turn; the index of who was chosen, or -1. */
function turn(backends: readonly Backend[], riches: Riches): number {
  let best = -1
  let sum = 0
  for (let at = 0; at < backends.length; at++) {
    const { weight } = backends[at]!
    if (weight <= 0) continue
    sum += weight
    riches[at]! += weight
    if (best < 0 || riches[at]! > riches[best]!) best = at
  }
  if (best >= 0) riches[best]! -= sum
  return best
}
