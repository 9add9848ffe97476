/** `apps:` → the Plan's applications. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { modulesIn } from './detect-python.ts'
import { absolutePath, type Drawing, existingFolder, isReadable, stat } from './drawing.ts'
import { nearest } from './nearest.ts'
import type { PythonAppPlan } from './plan.ts'
import { type KeyPath, quote } from './problem.ts'
import type { AppSettings } from './settings.ts'
import { nodeAt } from './tree.ts'

export function drawApps(
  drawing: Drawing,
  used: ReadonlySet<string>,
): Record<string, PythonAppPlan> {
  const plans: [string, PythonAppPlan][] = []
  for (const [name, settings] of Object.entries(drawing.settings.apps)) {
    const path = ['apps', name]
    if (!used.has(name)) {
      drawing.report.warning(path, `no route leads to the application ${quote(name)}`, {
        key: true,
      })
    }
    plans.push([name, drawApp(drawing, path, name, settings)])
  }
  return Object.fromEntries(plans)
}

function drawApp(
  drawing: Drawing,
  path: KeyPath,
  name: string,
  settings: AppSettings,
): PythonAppPlan {
  const [module = '', callable = 'application'] = settings.python.split(':')
  checkModule(
    drawing,
    [...path, 'python'],
    module,
    absolutePath(drawing, [...path, 'dir'], settings.dir),
  )
  return {
    kind: 'python',
    name,
    module,
    callable,
    dir: existingFolder(drawing, [...path, 'dir'], settings.dir),
    python: interpreter(drawing, [...path, 'interpreter'], settings.interpreter),
    venv: settings.venv === '' ? '' : virtualEnvironment(drawing, [...path, 'venv'], settings.venv),
    env: variables(drawing, [...path, 'env'], settings.env),
    workers: settings.workers === 'auto' ? autoWorkers(drawing) : settings.workers,
    threads: settings.threads,
    deadlineMs: settings.deadline,
    startTimeoutMs: settings['start-timeout'],
    queue: settings.queue,
  }
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

/** As Gunicorn and hosting platforms have it, else one a core. */
function autoWorkers({ environment }: Drawing): number {
  const wanted = Number(environment.WEB_CONCURRENCY ?? '')
  return Number.isInteger(wanted) && wanted >= 1 && wanted <= 4096 ? wanted : availableParallelism()
}

function interpreter(drawing: Drawing, path: KeyPath, text: string): string {
  if (!text.includes('/')) return text
  const file = absolutePath(drawing, path, text)
  if (stat(file)?.isFile() !== true) drawing.report.problem(path, `no such file: ${file}`)
  return file
}

function virtualEnvironment(drawing: Drawing, path: KeyPath, text: string): string {
  const folder = absolutePath(drawing, path, text)
  if (stat(folder) === undefined) drawing.report.problem(path, `no such folder: ${folder}`)
  else if (!isReadable(join(folder, 'bin', 'python'))) {
    drawing.report.problem(path, `not a virtual environment, it has no bin/python: ${folder}`)
  }
  return folder
}

/** Numbers stay as they were written: `VERSION: 1.10` is "1.10". */
function variables(
  { root, report }: Drawing,
  path: KeyPath,
  env: AppSettings['env'],
): Record<string, string> {
  const pairs = Object.entries(env).map(([name, value]): [string, string] => {
    const node = nodeAt(root, [...path, name])
    const text = node?.kind === 'scalar' ? node.written : String(value)
    if (text.includes('\0')) report.problem([...path, name], 'a variable holds no NUL')
    return [name, text]
  })
  return Object.fromEntries(pairs)
}
