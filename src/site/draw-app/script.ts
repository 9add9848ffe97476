/** Applications that are one file of Perl or Ruby. */
import { type Drawing, existingFile, existingFolder, interpreterFile } from '../drawing.ts'
import type { ScriptAppPlan } from '../plan.ts'
import type { KeyPath } from '../problem.ts'
import type { PsgiSettings, RackSettings } from '../settings/apps.ts'
import { drawCommon } from './common.ts'

export function drawScript(
  drawing: Drawing,
  path: KeyPath,
  name: string,
  settings: PsgiSettings | RackSettings,
): ScriptAppPlan {
  const kind = 'psgi' in settings ? 'psgi' : 'rack'
  const file = 'psgi' in settings ? settings.psgi : settings.rack
  return {
    kind,
    name,
    file: existingFile(drawing, [...path, kind], file),
    dir: existingFolder(drawing, [...path, 'dir'], settings.dir),
    interpreter: interpreterFile(drawing, [...path, 'interpreter'], settings.interpreter),
    ...drawCommon(drawing, path, settings),
  }
}
