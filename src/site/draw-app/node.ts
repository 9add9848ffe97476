/** A Node application. */
import { dirname } from 'node:path'
import { type Drawing, existingFile, existingFolder, interpreterFile } from '../drawing.ts'
import type { NodeAppPlan } from '../plan.ts'
import type { KeyPath } from '../problem.ts'
import type { NodeSettings } from '../settings/apps.ts'
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
  return {
    kind: 'node',
    name,
    file,
    mode,
    run,
    dir:
      settings.dir === '' ? dirname(file) : existingFolder(drawing, [...path, 'dir'], settings.dir),
    interpreter: interpreterFile(drawing, [...path, 'interpreter'], settings.interpreter),
    concurrency: settings.concurrency,
    ...drawCommon(drawing, path, settings),
  }
}
