/** How to start the warm parent of a Python application: which interpreter, in which environment. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PythonAppPlan } from '../../site/plan.ts'
import { isExecutable } from '../../system/tools.ts'
import { wholeEnvironment } from '../environment.ts'
import { findProgram } from '../find-program.ts'
import type { Runtime, WorkerCommand } from '../runtime.ts'

/** Oldest CPython that can run the worker. */
const OLDEST = [3, 9] as const

/** The folder that Python runs: it holds `__main__.py`. */
const WORKER = fileURLToPath(new URL('./portico_worker', import.meta.url))

interface Interpreter {
  readonly file: string
  /** The virtual environment to run in; '' for none. */
  readonly venv: string
}

/** Python over WSGI. */
export const python: Runtime = {
  name: 'python',
  roles: true,

  /** The `env` of the command is the whole environment, not an addition to the supervisor's own. */
  command(app): WorkerCommand {
    if (app.kind !== 'python') throw new Error(`not a Python application`)
    if (!isFolder(app.dir)) {
      throw new Error(`there is no folder ${app.dir}; set \`dir:\` to the application's`)
    }
    const { file, venv } = findInterpreter(app)
    refuseTooOld(file, venv)
    return { file, args: [WORKER], env: environment(app, venv), cwd: app.dir }
  },
}

/** Explicit `python`, else `venv`, else `.venv` or `venv` beside the application, else PATH. */
function findInterpreter(app: PythonAppPlan): Interpreter {
  if (app.python !== '') {
    const file = findProgram(app.python, app)
    if (file === '') throw new Error(`there is no Python at ${app.python}; check \`interpreter:\``)
    return { file, venv: app.venv === '' ? venvOf(file) : app.venv }
  }
  if (app.venv !== '') {
    const file = interpreterIn(app.venv)
    if (file === '') {
      throw new Error(
        `${app.venv} is no virtual environment that works (it has no bin/python); ` +
          `make it with \`python3 -m venv ${app.venv}\`, or check \`venv:\``,
      )
    }
    return { file, venv: app.venv }
  }
  for (const name of ['.venv', 'venv']) {
    const venv = join(app.dir, name)
    const file = existsSync(join(venv, 'pyvenv.cfg')) ? interpreterIn(venv) : ''
    if (file !== '') return { file, venv }
  }
  for (const name of ['python3', 'python']) {
    const file = findProgram(name, app)
    if (file !== '') return { file, venv: venvOf(file) }
  }
  throw new Error(
    `there is no Python on this machine; install Python ${OLDEST.join('.')} or newer ` +
      `(Debian: \`apt install python3\`), or name one with \`interpreter:\``,
  )
}

function interpreterIn(venv: string): string {
  for (const name of ['python', 'python3']) {
    const file = join(venv, 'bin', name)
    if (isExecutable(file)) return file
  }
  return ''
}

/** The virtual environment whose own interpreter `file` is, or ''. */
function venvOf(file: string): string {
  const folder = dirname(dirname(file))
  return existsSync(join(folder, 'pyvenv.cfg')) ? folder : ''
}

/** Says so before anything is started where the names tell; `__main__.py` looks for itself as well. */
function refuseTooOld(file: string, venv: string): void {
  const version = versionOf(file, venv)
  if (version === null) return
  const [major, minor] = version
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return
  throw new Error(
    `${file} is Python ${major}.${minor}, and ${OLDEST.join('.')} or newer is needed; ` +
      'name a newer one with `interpreter:`, or make the virtual environment anew with one',
  )
}

/** What `pyvenv.cfg` or the name of the interpreter's file tells, or null. */
function versionOf(file: string, venv: string): readonly [number, number] | null {
  let told: RegExpExecArray | null = null
  if (venv !== '' && file.startsWith(venv + '/')) {
    try {
      told = /^version(?:_info)?\s*=\s*(\d+)\.(\d+)/m.exec(
        readFileSync(join(venv, 'pyvenv.cfg'), 'utf8'),
      )
    } catch {
      told = null
    }
  }
  told ??= /^python(\d+)\.(\d+)$/.exec(basename(realpathSync(file)))
  return told === null ? null : [Number(told[1]), Number(told[2])]
}

/** The supervisor's environment and the application's own, as the environment's `activate` would have it. */
function environment(app: PythonAppPlan, venv: string): Record<string, string> {
  const env = wholeEnvironment(app)
  if (venv !== '') {
    env.VIRTUAL_ENV = venv
    env.PATH = join(venv, 'bin') + (env.PATH ? delimiter + env.PATH : '')
    delete env.PYTHONHOME
  }
  return env
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
