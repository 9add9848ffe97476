/** Languages of which an application is one file that a bridge program of ours loads: PSGI, Rack. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import type { CommonAppPlan, ScriptAppPlan } from '../site/plan.ts'
import type { Runtime, WorkerCommand } from './runtime.ts'

export interface Language {
  readonly name: string
  /** What its interpreter is called. */
  readonly program: string
  /** The bridge program. */
  readonly main: string
  /** Debian's packages with all that is needed. */
  readonly packages: string
}

export function scriptRuntime(kind: ScriptAppPlan['kind'], language: Language): Runtime {
  return {
    name: kind,

    /** The `env` of the command is the whole environment, not an addition to the supervisor's own. */
    command(app): WorkerCommand {
      if (app.kind !== kind) throw new Error(`app ${app.name}: no application over ${kind}`)
      if (statSync(app.dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
        throw new Error(
          `app ${app.name}: there is no folder ${app.dir}; set \`dir:\` to the application's`,
        )
      }
      const env: Record<string, string> = {}
      for (const [name, value] of Object.entries({ ...process.env, ...app.env })) {
        if (value !== undefined) env[name] = value
      }
      return { file: interpreter(app, language), args: [language.main], env, cwd: app.dir }
    },
  }
}

function interpreter(app: ScriptAppPlan, { name, program, packages }: Language): string {
  const file = findProgram(app.interpreter === '' ? program : app.interpreter, app)
  if (file !== '') return file
  throw new Error(
    app.interpreter === ''
      ? `app ${app.name}: there is no ${name} on this machine; install it (Debian: \`apt install ${packages}\`), or name one with \`interpreter:\``
      : `app ${app.name}: there is no ${name} at ${app.interpreter}; check \`interpreter:\``,
  )
}

/** A path, relative to the application's folder, or a name in its PATH; '' when there is none. */
function findProgram(name: string, app: CommonAppPlan): string {
  if (name.includes('/')) {
    const file = resolve(app.dir, name)
    return isExecutable(file) ? file : ''
  }
  for (const folder of (app.env.PATH ?? process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder === '' ? '.' : folder, name)
    if (isExecutable(file)) return resolve(file)
  }
  return ''
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
