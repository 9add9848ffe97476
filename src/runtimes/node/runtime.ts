/** How to start the warm parent of a Node application. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { NodeAppPlan } from '../../site/plan.ts'
import type { Runtime, WorkerCommand } from '../runtime.ts'

const PARENT = fileURLToPath(new URL('./launch.mjs', import.meta.url))

/** Node: fetch handlers, request listeners and programs that listen. */
export const node: Runtime = {
  name: 'node',

  /** The `env` of the command is the whole environment, not an addition to the supervisor's own. */
  command(app): WorkerCommand {
    if (app.kind !== 'node') throw new Error(`app ${app.name}: not a Node application`)
    const env: Record<string, string> = {}
    for (const [name, value] of Object.entries({ ...process.env, ...app.env })) {
      if (value !== undefined) env[name] = value
    }
    return { file: interpreter(app), args: [PARENT], env, cwd: app.dir }
  },
}

function interpreter(app: NodeAppPlan): string {
  const { interpreter: named } = app
  if (named === '') return process.execPath
  if (named.includes('/')) {
    const file = resolve(app.dir, named)
    if (isExecutable(file)) return file
  } else {
    for (const folder of (app.env.PATH ?? process.env.PATH ?? '').split(delimiter)) {
      const file = join(folder === '' ? '.' : folder, named)
      if (isExecutable(file)) return resolve(file)
    }
  }
  throw new Error(`app ${app.name}: there is no Node at ${named}; check \`interpreter:\``)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
