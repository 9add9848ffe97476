/** What every kind of application has. */
import { availableParallelism } from 'node:os'
import { drawDeadlines } from '../draw-deadline.ts'
import { type Drawing, textAsWritten } from '../drawing.ts'
import type { CommonAppPlan } from '../plan.ts'
import type { KeyPath } from '../problem.ts'
import type { AppSettings } from '../settings/apps.ts'
import { drawEnvFiles, drawIsolation } from './isolation.ts'
import { drawLifecycle } from './lifecycle.ts'

/** `usual`: how many workers `auto` means on this machine. */
export function drawCommon(
  drawing: Drawing,
  path: KeyPath,
  settings: AppSettings,
  usual: number = availableParallelism(),
): Omit<CommonAppPlan, 'name' | 'dir'> {
  const { softMs, hardMs, queueMs } = drawDeadlines(
    drawing,
    [...path, 'deadline'],
    settings.deadline,
  )
  const isolation = drawIsolation(drawing, path, settings)
  return {
    ...(isolation === undefined ? {} : { isolation }),
    env: {
      ...drawEnvFiles(drawing, path, settings),
      ...textAsWritten(drawing, [...path, 'env'], settings.env),
    },
    ...drawLifecycle(drawing, path, settings, autoWorkers(drawing, usual)),
    deadlineMs: hardMs,
    softDeadlineMs: softMs,
    queueDeadlineMs: queueMs,
    startTimeoutMs: settings['start-timeout'],
    queue: settings.queue,
  }
}

/** As Gunicorn and hosting platforms have it, else as usual. */
function autoWorkers({ environment }: Drawing, usual: number): number {
  const wanted = Number(environment.WEB_CONCURRENCY ?? '')
  return Number.isInteger(wanted) && wanted >= 1 && wanted <= 4096 ? wanted : usual
}
