/** A Node application. */
import { dirname } from 'node:path'
import { drawJobWorkers } from '../draw-jobs.ts'
import { type Drawing, existingFile, existingFolder, interpreterFile } from '../drawing.ts'
import type { NodeAppPlan } from '../plan.ts'
import type { KeyPath } from '../problem.ts'
import type { NodeSettings } from '../settings/apps.ts'
import { drawNodeModule, drawNodeTarget } from './beside.ts'
import { drawCommon } from './common.ts'

export function drawNode(
  drawing: Drawing,
  path: KeyPath,
  name: string,
  settings: NodeSettings,
): NodeAppPlan {
  const { report } = drawing
  const { run, mode } = settings
  if (run === 'threads' && (mode === 'listener' || mode === 'server')) {
    report.problem([...path, 'run'], 'only a fetch handler runs in threads', {
      expected: 'run: processes',
    })
  }
  const file = existingFile(drawing, [...path, 'node'], settings.node)
  const dir =
    settings.dir === '' ? dirname(file) : existingFolder(drawing, [...path, 'dir'], settings.dir)
  return {
    kind: 'node',
    name,
    file,
    mode,
    run,
    dir,
    interpreter: interpreterFile(drawing, [...path, 'interpreter'], settings.interpreter),
    concurrency: settings.concurrency,
    ...drawBeside(drawing, path, settings, dir),
    ...drawCommon(drawing, path, settings),
  }
}

/** Its mules and job workers. */
function drawBeside(
  drawing: Drawing,
  path: KeyPath,
  settings: NodeSettings,
  dir: string,
): Pick<NodeAppPlan, 'mules' | 'jobs'> {
  const { run, jobs, mules } = settings
  for (const [key, given] of [
    ['jobs', jobs !== undefined],
    ['mules', mules.length > 0],
  ] as const) {
    if (!given || run === 'processes') continue
    drawing.report.problem([...path, key], 'not beside what runs in the server’s threads', {
      expected: 'run: processes',
      key: true,
    })
  }
  const { jobs: workers } = drawJobWorkers(settings)
  const named = jobs?.module ?? ''
  const module =
    named === '' ? '' : drawNodeModule(drawing, [...path, 'jobs', 'module'], named, dir)
  return {
    mules: mules.map((mule, at) => drawNodeTarget(drawing, [...path, 'mules', at], mule, dir)),
    ...(workers === undefined
      ? {}
      : { jobs: { ...workers, ...(module === '' ? {} : { module }) } }),
  }
}
