/** Every scheduler as a site's plan makes it, for tests that hold for all. */
import { createScheduler, schedulerCells } from '../../src/schedulers/create.ts'
import type { Scheduler } from '../../src/schedulers/scheduler.ts'
import type { SchedulePlan } from '../../src/site/plan.ts'
import { SCHEDULE_NAMES, scheduleOf } from '../../src/site/schedules.ts'

/** The plan of a name with options, made for up to 40 backends. */
export function make(name: string, options: Partial<SchedulePlan> = {}): Scheduler {
  return makeShared(name, options)()
}

/** The same for several threads: each call makes the scheduler of another one. */
export function makeShared(name: string, options: Partial<SchedulePlan> = {}): () => Scheduler {
  const named = scheduleOf(name)
  if (named === undefined) throw new Error(`no scheduler ${name}`)
  const plan = { ...named, ...options }
  const cells = new Int32Array(new SharedArrayBuffer(4 * schedulerCells(plan, 40)))
  return () => createScheduler(plan, cells, 40)
}

const URI = [{ of: 'uri', name: '' }] as const
/** What a name needs to be whole. */
export function needed(name: string): Partial<SchedulePlan> {
  return name === 'hash' ? { key: URI } : {}
}

export const NAMES: readonly string[] = SCHEDULE_NAMES
