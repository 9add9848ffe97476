/** A Python application. */
import { join } from 'node:path'
import { modulesIn } from '../detect-python.ts'
import { drawJobWorkers } from '../draw-jobs.ts'
import {
  absolutePath,
  type Drawing,
  existingFile,
  existingFolder,
  interpreterFile,
  isReadable,
  stat,
  textAsWritten,
} from '../drawing.ts'
import { nearest } from '../nearest.ts'
import type { PythonAppPlan } from '../plan.ts'
import { type KeyPath, quote } from '../problem.ts'
import type { PythonSettings } from '../settings/apps.ts'
import { drawCommon } from './common.ts'

export function drawPython(
  drawing: Drawing,
  path: KeyPath,
  name: string,
  settings: PythonSettings,
): PythonAppPlan {
  const colon = settings.python.indexOf(':')
  const named = colon < 0 ? settings.python : settings.python.slice(0, colon)
  const isFile = named.includes('/')
  const module = isFile ? existingFile(drawing, [...path, 'python'], named) : named
  const callable = colon < 0 ? 'application' : settings.python.slice(colon + 1)
  const dir = absolutePath(drawing, [...path, 'dir'], settings.dir)
  if (!isFile) checkModule(drawing, [...path, 'python'], module, dir)
  checkThreads(drawing, [...path, 'threads'], settings)
  return {
    kind: 'python',
    name,
    module,
    callable,
    mode: settings.mode,
    dir: existingFolder(drawing, [...path, 'dir'], settings.dir),
    python: interpreterFile(drawing, [...path, 'interpreter'], settings.interpreter),
    venv: settings.venv === '' ? '' : virtualEnvironment(drawing, [...path, 'venv'], settings.venv),
    threads: settings.threads,
    concurrency: settings.concurrency,
    lifespan: settings.lifespan,
    ...(settings.hooks === ''
      ? {}
      : { hooks: existingFile(drawing, [...path, 'hooks'], settings.hooks) }),
    ...compatibility(drawing, path, settings),
    ...(settings.lazy ? { lazy: true } : {}),
    mules: settings.mules,
    ...drawJobWorkers(settings),
    ...drawCommon(drawing, path, settings),
  }
}

function compatibility(
  drawing: Drawing,
  path: KeyPath,
  { compat, options }: PythonSettings,
): Pick<PythonAppPlan, 'compat' | 'options'> {
  const hasOptions = Object.keys(options).length > 0
  if (compat === 'none') {
    if (hasOptions) {
      drawing.report.problem([...path, 'options'], 'nobody reads them', {
        expected: 'compat: uwsgi beside it',
        key: true,
      })
    }
    return {}
  }
  return hasOptions
    ? { compat, options: textAsWritten(drawing, [...path, 'options'], options) }
    : { compat }
}

/** It may be installed for the interpreter, which alone can tell. */
function checkModule({ report }: Drawing, path: KeyPath, module: string, dir: string): void {
  const [top = ''] = module.split('.')
  if (stat(dir) === undefined || [top, `${top}.py`].some((name) => stat(join(dir, name)))) return
  const meant = nearest(top, modulesIn(dir))
  report.warning(path, `no module ${quote(top)} in ${dir}: it has to be installed`, {
    nearest: meant,
  })
}

function checkThreads({ report }: Drawing, path: KeyPath, settings: PythonSettings): void {
  const { mode, threads } = settings
  if (threads === 1 || mode === 'auto' || mode === 'wsgi') return
  report.problem(path, `${mode} takes many requests at a time without threads`, {
    expected: 'concurrency',
    key: true,
  })
}

function virtualEnvironment(drawing: Drawing, path: KeyPath, text: string): string {
  const folder = absolutePath(drawing, path, text)
  if (stat(folder) === undefined) drawing.report.problem(path, `no such folder: ${folder}`)
  else if (!isReadable(join(folder, 'bin', 'python'))) {
    drawing.report.problem(path, `not a virtual environment, it has no bin/python: ${folder}`)
  }
  return folder
}
