/** The one with the least of something for its weight: what several schedulers are made of. */
import { type Asked, type Backend, choosing, isOpen, type Scheduler } from './scheduler.ts'
import { Turns } from './turns.ts'

/** What is to be least: divided by the weight, or as it is. */
export interface Load {
  readonly of: (backend: Backend) => number
  readonly weighted: boolean
}

/** LVS counts an active connection as much as 256 that are over but not gone. */
export function overhead({ active, inactive }: Backend): number {
  return active * 256 + inactive
}

/**
 * The index of the least loaded one, the first from `from` on among equals; -1: nobody is open. Compares
 * by multiplying crosswise: no rounding.
 */
export function leastOf(
  backends: readonly Backend[],
  asked: Asked,
  { of, weighted }: Load,
  from = 0,
): number {
  const { length } = backends
  let best = -1
  let bestLoad = 0
  let bestWeight = 1
  for (let i = 0; i < length; i++) {
    const at = from + i < length ? from + i : from + i - length
    const backend = backends[at]!
    if (!isOpen(backend, at, asked)) continue
    const load = of(backend)
    const weight = weighted ? backend.weight * (backend.share ?? 1) : 1
    if (best >= 0 && load * bestWeight >= bestLoad * weight) continue
    best = at
    bestLoad = load
    bestWeight = weight
  }
  return best
}

/**
 * `cells` null: the first among equals, as LVS has it. Else they take turns by weight, as with nginx and
 * HAProxy, so that a pool with little to do spreads it.
 */
export function least(name: string, load: Load, cells: Int32Array | null): Scheduler {
  if (cells === null)
    return choosing(name, (backends, _key, asked) => leastOf(backends, asked, load))
  const turns = new Turns(cells)
  return choosing(name, (backends, _key, asked) =>
    leastOf(backends, asked, load, asked === null ? Math.max(0, turns.next(backends)) : 0),
  )
}
