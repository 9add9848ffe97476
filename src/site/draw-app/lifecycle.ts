/** The settings of `settings/lifecycle.ts`, resolved; what a kind of application cannot do is told. */
import { absolutePath, type Drawing } from '../drawing.ts'
import type { AppReloadPlan, CommonAppPlan, RecyclePlan, ScalePlan } from '../plan.ts'
import type { KeyPath } from '../problem.ts'
import type { AppSettings } from '../settings/apps.ts'
import type { ScaleSettings } from '../settings/lifecycle.ts'
import { nodeAt } from '../tree.ts'

type Lifecycle = Pick<CommonAppPlan, 'workers' | 'scale' | 'recycle' | 'reload'>

/** `auto`: how many workers that means. */
export function drawLifecycle(
  drawing: Drawing,
  path: KeyPath,
  settings: AppSettings,
  auto: number,
): Lifecycle {
  const { workers } = settings
  const most = typeof workers === 'object' ? workers.max : workers
  const count = most === 'auto' ? auto : most
  const scale =
    typeof workers === 'object' ? drawScale(drawing, [...path, 'workers'], workers, count) : null
  const recycle = drawRecycle(settings)
  const reload = drawReload(drawing, path, settings)
  refuse(drawing, path, settings)
  return {
    workers: Math.max(count, scale?.min ?? 1),
    ...(scale === null ? {} : { scale }),
    ...(recycle === null ? {} : { recycle }),
    ...(reload === null ? {} : { reload }),
  }
}

function drawScale(
  { report }: Drawing,
  path: KeyPath,
  settings: ScaleSettings,
  most: number,
): ScalePlan {
  const { busyness, min } = settings
  if (min > most && settings.max !== 'auto') {
    report.problem([...path, 'min'], 'more than max', { expected: `at most ${most}` })
  }
  if (busyness.min >= busyness.max) {
    report.problem([...path, 'busyness', 'min'], 'not less than max')
  }
  return {
    by: settings.by,
    min,
    spare: settings.spare,
    step: settings.step,
    overload: settings.overload,
    delayMs: settings.delay,
    busyness: {
      min: busyness.min,
      max: busyness.max,
      multiplier: busyness.multiplier,
      penalty: busyness.penalty,
      backlogAlert: busyness['backlog-alert'],
      backlogStep: busyness['backlog-step'],
      backlogMultiplier: busyness['backlog-multiplier'],
    },
    everyMs: settings.every,
    idleMs: settings.idle,
    memory: settings.memory,
    warm: settings.warm,
  }
}

function drawRecycle({ recycle }: AppSettings): RecyclePlan | null {
  const plan = {
    requests: recycle.requests,
    ageMs: recycle.age,
    memory: recycle.memory,
    addressSpace: recycle['address-space'],
    idleMs: recycle.idle,
    jitter: recycle.jitter / 100,
  }
  const { jitter: _, ...bounds } = plan
  return Object.values(bounds).some((bound) => bound > 0) ? plan : null
}

function drawReload(
  drawing: Drawing,
  path: KeyPath,
  { reload }: AppSettings,
): AppReloadPlan | null {
  const at = [...path, 'reload', 'touch']
  const touch = reload.touch.map((file) => absolutePath(drawing, at, file))
  return touch.length > 0 || reload.rolling ? { touch, rolling: reload.rolling } : null
}

/** What a service of its own, or the server's threads, do not do. */
function refuse(drawing: Drawing, path: KeyPath, settings: AppSettings): void {
  const { report, root } = drawing
  const written = (...keys: string[]): boolean => nodeAt(root, [...path, ...keys]) !== undefined
  const refuseAll = (all: readonly (readonly string[])[], why: string, expected: string): void => {
    for (const keys of all.filter((one) => written(...one))) {
      report.problem([...path, ...keys], why, { expected, key: true })
    }
  }
  if ('php' in settings) {
    const own = ['delay', 'busyness', 'step', 'overload', 'every', 'warm', 'memory']
    const why = 'php-fpm has no such thing'
    refuseAll(
      own.map((key) => ['workers', key]),
      why,
      'min, max, spare and idle',
    )
    if (typeof settings.workers === 'object' && settings.workers.by !== 'spare') {
      report.problem([...path, 'workers', 'by'], 'php-fpm knows one way', { expected: 'spare' })
    }
    const bounds = ['age', 'memory', 'address-space', 'idle', 'jitter']
    refuseAll(
      bounds.map((key) => ['recycle', key]),
      why,
      'requests',
    )
    refuseAll([['reload']], 'PHP reads its scripts anew by itself', 'nothing')
  }
  if ('container' in settings) {
    const why = 'a container is replaced as a whole'
    refuseAll([['recycle'], ['reload']], why, 'portico reload')
    if (typeof settings.workers === 'object') {
      report.problem([...path, 'workers'], why, { expected: 'a number, told as WEB_CONCURRENCY' })
    }
  }
  if ('node' in settings && settings.run === 'threads') {
    const why = 'what runs in the server’s threads has no workers'
    refuseAll([['recycle'], ['reload']], why, 'run: processes')
    if (typeof settings.workers === 'object') {
      report.problem([...path, 'workers'], why, { expected: 'run: processes', key: true })
    }
  }
}
