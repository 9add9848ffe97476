/** How to start the warm parent of a Node application. */
import { fileURLToPath } from 'node:url'
import type { NodeAppPlan } from '../../site/plan.ts'
import { wholeEnvironment } from '../environment.ts'
import { findProgram } from '../find-program.ts'
import type { Runtime, WorkerCommand } from '../runtime.ts'

const PARENT = fileURLToPath(new URL('./launch.mjs', import.meta.url))

/** Node: fetch handlers, request listeners and programs that listen. */
export const node: Runtime = {
  name: 'node',
  roles: true,

  /** The `env` of the command is the whole environment, not an addition to the supervisor's own. */
  command(app): WorkerCommand {
    if (app.kind !== 'node') throw new Error(`not a Node application`)
    return { file: interpreter(app), args: [PARENT], env: wholeEnvironment(app), cwd: app.dir }
  },
}

function interpreter(app: NodeAppPlan): string {
  const { interpreter: named } = app
  if (named === '') return process.execPath
  const file = findProgram(named, app)
  if (file !== '') return file
  throw new Error(`there is no Node at ${named}; check \`interpreter:\``)
}
