/** Weighted failover: the one of the highest weight, for as long as it is ready. */
import { heaviest } from './heaviest.ts'
import { choosing, type Scheduler } from './scheduler.ts'

export function fo(): Scheduler {
  return choosing('fo', (backends, _key, asked) => heaviest(backends, asked, always))
}

function always(): boolean {
  return true
}
