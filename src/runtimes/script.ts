/** Languages of which an application is one file that a bridge program of ours loads: PSGI, Rack. */
import { statSync } from 'node:fs'
import type { ScriptAppPlan } from '../site/plan.ts'
import { wholeEnvironment } from './environment.ts'
import { findProgram } from './find-program.ts'
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
      if (app.kind !== kind) throw new Error(`no application over ${kind}`)
      if (statSync(app.dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
        throw new Error(`there is no folder ${app.dir}; set \`dir:\` to the application's`)
      }
      return {
        file: interpreter(app, language),
        args: [language.main],
        env: wholeEnvironment(app),
        cwd: app.dir,
      }
    },
  }
}

function interpreter(app: ScriptAppPlan, { name, program, packages }: Language): string {
  const file = findProgram(app.interpreter === '' ? program : app.interpreter, app)
  if (file !== '') return file
  throw new Error(
    app.interpreter === ''
      ? `there is no ${name} on this machine; install it (Debian: \`apt install ${packages}\`), or name one with \`interpreter:\``
      : `there is no ${name} at ${app.interpreter}; check \`interpreter:\``,
  )
}
