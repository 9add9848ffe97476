/**
 * Locality-based least connections, as LVS has it for caches: a destination stays with one backend; by
 * weighted least connections it gets another when that one cannot, or is crowded.
 */
import { isCrowded } from './crowded.ts'
import { Destinations } from './destinations.ts'
import type { ReadKey } from './keys.ts'
import { leastOf } from './least.ts'
import { choosing, isOpen, type Scheduler } from './scheduler.ts'
import { WLC } from './wlc.ts'

/** Of a destination: its backend, as its index and one. */
export const LBLC_WORDS = 1

export function lblc(destination: ReadKey, cells: Int32Array): Scheduler {
  const destinations = new Destinations(cells, LBLC_WORDS)
  return choosing('lblc', (backends, key, asked) => {
    const entry = destinations.entry(destination(key))
    const known = Atomics.load(cells, entry) - 1
    const own = backends[known]
    if (own !== undefined && isOpen(own, known, asked) && !isCrowded(own, backends)) return known
    const at = leastOf(backends, asked, WLC)
    if (at >= 0) Atomics.store(cells, entry, at + 1)
    return at
  })
}
