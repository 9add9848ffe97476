/** The first that is not full: with `max-connections`, the last servers of the list may rest. */
import { choosing, firstOpen, type Scheduler } from './scheduler.ts'

export function first(): Scheduler {
  return choosing('first', (backends, _key, asked) => firstOpen(backends, asked))
}
