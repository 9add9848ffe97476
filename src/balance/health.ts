/** What is known of a server's health, and what one more answer makes of it. Pure. */
import type { CheckTimingPlan } from '../site/check-plan.ts'
import type { Verdict } from './cells.ts'

/**
 *     none ──well──► up ──fall × unwell──► down
 *       └───unwell──► down ──rise × well──► up
 *
 * The first answer decides at once: nobody waits for a second opinion of a server that was never seen.
 */
export interface Health {
  readonly verdict: Verdict
  /** Answers in a row that contradict the verdict. */
  readonly streak: number
}

export const unknown: Health = { verdict: 'none', streak: 0 }

export function judge(
  { verdict, streak }: Health,
  well: boolean,
  { rise, fall }: Pick<CheckTimingPlan, 'rise' | 'fall'>,
): Health {
  const heard: Verdict = well ? 'up' : 'down'
  if (heard === verdict) return { verdict, streak: 0 }
  const needed = verdict === 'none' ? 1 : well ? rise : fall
  if (streak + 1 >= needed) return { verdict: heard, streak: 0 }
  return { verdict, streak: streak + 1 }
}

/** How long until it is asked again, ms. `chance`: from 0 to below 1. */
export function pause(
  { verdict, streak }: Health,
  timing: CheckTimingPlan,
  chance: number,
): number {
  const { everyMs, fastMs, downMs, jitter } = timing
  const usual = streak > 0 ? fastMs : verdict === 'down' ? downMs : everyMs
  return usual * (1 + jitter * (2 * chance - 1))
}
