/**
 * Overflow: the one of the highest weight that has no more in hand than its weight; what is above runs
 * over to the next. When all have more, nobody is asked.
 */
import { heaviest } from './heaviest.ts'
import { type Backend, choosing, type Scheduler } from './scheduler.ts'

export function ovf(): Scheduler {
  return choosing('ovf', (backends, _key, asked) => heaviest(backends, asked, hasRoom))
}

function hasRoom({ active, weight }: Backend): boolean {
  return active <= weight
}
