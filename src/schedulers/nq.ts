/** Never queue: the first that has nothing in hand, else by shortest expected delay. */
import { leastOf } from './least.ts'
import { choosing, isOpen, type Scheduler } from './scheduler.ts'
import { SED } from './sed.ts'
import { Turns } from './turns.ts'

/** `cells`: shared memory for turns among equals; null: the first. */
export function nq(cells: Int32Array | null): Scheduler {
  const turns = cells === null ? null : new Turns(cells)
  return choosing('nq', (backends, _key, asked) => {
    const { length } = backends
    const from = turns === null || asked !== null ? 0 : Math.max(0, turns.next(backends))
    for (let i = 0; i < length; i++) {
      const at = (from + i) % length
      if (isOpen(backends[at]!, at, asked) && backends[at]!.active === 0) return at
    }
    return leastOf(backends, asked, SED, from)
  })
}
