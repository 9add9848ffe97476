/**
 * Weighted round robin. `smooth`, as nginx and HAProxy have it: weights 5, 1, 1 give a a b a c a a. Else
 * as LVS has it: weights 3, 1 give a a a b.
 */
import { choosing, isOpen, type Scheduler } from './scheduler.ts'
import { Turns } from './turns.ts'

export function wrr(cells: Int32Array, smooth: boolean): Scheduler {
  const turns = new Turns(cells, smooth)
  return choosing('wrr', (backends, _key, asked) => {
    // After a failure the request has had its turn.
    if (asked !== null) return turns.instead(backends, asked)
    const at = turns.next(backends)
    return at < 0 || isOpen(backends[at]!, at, asked) ? at : turns.instead(backends, asked)
  })
}
