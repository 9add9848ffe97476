/**
 * The bench's own virtual environment, for rivals that Debian does not have or has old. It is made
 * once, in bench/.venv, and sees Debian's Flask.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PYTHON } from './machine.ts'
import { Missing } from './rival.ts'

const VENV = join(import.meta.dirname, '../.venv')
export const VENV_PYTHON: string = join(VENV, 'bin/python')

/** The newest of each at the time of installing; the version is in the results. */
const PACKAGES = ['gunicorn', 'granian', 'bjoern', 'uvicorn', 'httptools', 'uvloop']

/** Makes the environment and installs what is not in it yet. What fails is told, and missing. */
export function prepareVenv(progress: (text: string) => void): void {
  if (!existsSync(VENV_PYTHON)) {
    progress('making bench/.venv')
    try {
      run(PYTHON, ['-m', 'venv', '--system-site-packages', VENV])
    } catch {
      rmSync(VENV, { recursive: true, force: true })
      progress('cannot make bench/.venv: apt-get install python3-venv')
      return
    }
  }
  for (const name of PACKAGES) {
    if (installed(name)) continue
    progress(`installing ${name} into bench/.venv`)
    try {
      // Debian's Gunicorn is visible from inside and would count as installed.
      run(VENV_PYTHON, ['-m', 'pip', 'install', '--quiet', '--ignore-installed', name])
    } catch (error) {
      progress(`${name} could not be installed: ${lastLine(error)}`)
    }
  }
}

/** The version inside the environment. Throws {@link Missing} when it is not there. */
export function versionInVenv(name: string): string {
  const version = installed(name)
  if (!version) {
    throw new Missing(name, `bench/.venv/bin/pip install --ignore-installed ${name}`)
  }
  return version
}

function installed(name: string): string | undefined {
  const ask = [
    'import importlib.metadata as m, sys',
    `found = m.distribution(${JSON.stringify(name)})`,
    'print(found.version if str(found.locate_file("")).startswith(sys.prefix) else "")',
  ].join('\n')
  try {
    return run(VENV_PYTHON, ['-c', ask]).trim() || undefined
  } catch {
    return undefined
  }
}

function run(file: string, args: readonly string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function lastLine(error: unknown): string {
  return String((error as { stderr?: string }).stderr ?? error)
    .trim()
    .split('\n')
    .at(-1)!
}
