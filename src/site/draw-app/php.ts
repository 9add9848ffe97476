/** A PHP application. */
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import {
  absolutePath,
  type Drawing,
  existingFolder,
  interpreterFile,
  stat,
  textAsWritten,
} from '../drawing.ts'
import type { PhpAppPlan } from '../plan.ts'
import { type KeyPath, quote } from '../problem.ts'
import type { PhpSettings } from '../settings/apps.ts'
import { drawCommon } from './common.ts'

/** Scripts mostly wait, for a database or another server: so many for a core where `workers` says `auto`. */
const WORKERS_EACH_CORE = 4
/** But no more than have room, bytes each. */
const WORKER_MEMORY = 134_217_728

export function drawPhp(
  drawing: Drawing,
  path: KeyPath,
  name: string,
  settings: PhpSettings,
): PhpAppPlan {
  const dir = existingFolder(drawing, [...path, 'php'], settings.php)
  const { report } = drawing
  for (const index of settings.index) {
    if (index.includes('/')) {
      report.problem([...path, 'index'], `${quote(index)} is not the name of a file`)
    }
  }
  if (settings.front.includes('/')) {
    report.problem([...path, 'front'], `${quote(settings.front)} is not the name of a file`)
  }
  const front = settings.front !== '' && stat(join(dir, settings.front))?.isFile() === true
  return {
    kind: 'php',
    name,
    dir,
    front: front ? settings.front : '',
    index: settings.index,
    interpreter: interpreterFile(drawing, [...path, 'interpreter'], settings.interpreter),
    ini: textAsWritten(drawing, [...path, 'ini'], settings.ini),
    noScripts: settings['no-scripts'].map((folder) => {
      const relative = folder.replace(/^\/+/, '').replace(/\/*$/, '/')
      return absolutePath(drawing, [...path, 'php'], join(settings.php, relative)) + '/'
    }),
    ...drawCommon(drawing, path, settings, usualWorkers()),
  }
}

function usualWorkers(): number {
  const room = Math.floor(totalmem() / WORKER_MEMORY)
  return Math.max(2, Math.min(availableParallelism() * WORKERS_EACH_CORE, room))
}
