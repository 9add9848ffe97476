/** `deadline:` → the Plan's bounds on a request. */
import type { Drawing } from './drawing.ts'
import type { DeadlinesPlan } from './plan.ts'
import type { KeyPath } from './problem.ts'
import { type DeadlineSettings, USUAL_DEADLINE } from './settings/deadline.ts'
import { parseDuration, showDuration } from './units.ts'

const USUAL: DeadlinesPlan = {
  softMs: 0,
  hardMs: parseDuration(USUAL_DEADLINE) ?? 0,
  queueMs: parseDuration(USUAL_DEADLINE) ?? 0,
}

/** What is not said of a route is as `usual`, the application's. */
export function drawDeadlines(
  { report }: Drawing,
  path: KeyPath,
  settings: DeadlineSettings,
  usual: DeadlinesPlan = USUAL,
): DeadlinesPlan {
  const plan = deadlinesOf(settings, usual)
  const { softMs, hardMs } = plan
  const own = typeof settings === 'object' && settings.soft !== undefined
  if (own && softMs > 0 && hardMs > 0 && softMs >= hardMs) {
    report.problem([...path, 'soft'], 'not before the hard deadline', {
      expected: `less than ${showDuration(hardMs)}`,
    })
  }
  return plan
}

export function deadlinesOf(
  settings: DeadlineSettings,
  usual: DeadlinesPlan = USUAL,
): DeadlinesPlan {
  if (typeof settings === 'number') return { ...usual, hardMs: settings, queueMs: settings }
  const { soft, hard, queue } = settings
  return {
    softMs: soft ?? usual.softMs,
    hardMs: hard ?? usual.hardMs,
    // What is too long for an answer is too long for waiting, unless somebody has said otherwise.
    queueMs: queue ?? hard ?? usual.queueMs,
  }
}
