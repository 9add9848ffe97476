/** What every kind of application has. */
import { availableParallelism } from 'node:os'
import { type Drawing, textAsWritten } from '../drawing.ts'
import type { CommonAppPlan } from '../plan.ts'
import type { KeyPath } from '../problem.ts'
import type { AppSettings } from '../settings/apps.ts'

/** `usual`: how many workers `auto` means on this machine. */
export function drawCommon(
  drawing: Drawing,
  path: KeyPath,
  settings: AppSettings,
  usual: number = availableParallelism(),
): Omit<CommonAppPlan, 'name' | 'dir'> {
  return {
    env: textAsWritten(drawing, [...path, 'env'], settings.env),
    workers: settings.workers === 'auto' ? autoWorkers(drawing, usual) : settings.workers,
    deadlineMs: settings.deadline,
    startTimeoutMs: settings['start-timeout'],
    queue: settings.queue,
  }
}

/** As Gunicorn and hosting platforms have it, else as usual. */
function autoWorkers({ environment }: Drawing, usual: number): number {
  const wanted = Number(environment.WEB_CONCURRENCY ?? '')
  return Number.isInteger(wanted) && wanted >= 1 && wanted <= 4096 ? wanted : usual
}
