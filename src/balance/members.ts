/** A pool's targets in the order they are asked in: the servers, then the backup servers. */
import type { Scheduler } from '../schedulers/scheduler.ts'
import type { Common, Target } from './target.ts'

/** Targets that can answer for one another. */
export interface Tier {
  readonly targets: readonly Target[]
  readonly scheduler: Scheduler
}

export interface Members extends Common {
  readonly tiers: readonly Tier[]
}
