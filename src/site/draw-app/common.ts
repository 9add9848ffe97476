/** What every kind of application has. */
import { availableParallelism } from 'node:os'
import { type Drawing, textAsWritten } from '../drawing.ts'
import type { CommonAppPlan } from '../plan.ts'
import type { KeyPath } from '../problem.ts'
import type { AppSettings } from '../settings/apps.ts'

export function drawCommon(
  drawing: Drawing,
  path: KeyPath,
  settings: AppSettings,
): Omit<CommonAppPlan, 'name' | 'dir'> {
  return {
    env: textAsWritten(drawing, [...path, 'env'], settings.env),
    workers: settings.workers === 'auto' ? autoWorkers(drawing) : settings.workers,
    deadlineMs: settings.deadline,
    startTimeoutMs: settings['start-timeout'],
    queue: settings.queue,
  }
}

/** As Gunicorn and hosting platforms have it, else one a core. */
function autoWorkers({ environment }: Drawing): number {
  const wanted = Number(environment.WEB_CONCURRENCY ?? '')
  return Number.isInteger(wanted) && wanted >= 1 && wanted <= 4096 ? wanted : availableParallelism()
}
