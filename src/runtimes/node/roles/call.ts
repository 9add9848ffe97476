/** Calls a function of the application once: `{ kind: 'call', target: './tasks.ts:clean', arguments: […] }`. */
import { stackOf } from '../../../fetch/server.ts'
import type { RoleProcess } from './role.ts'
import { functionOf } from './target.ts'

/** It is over when what the function returns has resolved, whatever else the module has open. */
export async function call({ app, role, thread }: RoleProcess): Promise<void> {
  // A reload waits for calls.
  thread.obey(() => {})
  process.on('SIGTERM', () => {})
  process.once('beforeExit', () => {
    console.error(
      `${role.target}: it has not ended, but there is nothing left that it could wait for`,
    )
    process.exit(1)
  })
  try {
    const target = await functionOf(String(role.target), app.dir)
    await target(...(Array.isArray(role.arguments) ? role.arguments : []))
    process.exit(0)
  } catch (error) {
    console.error(stackOf(error))
    process.exit(1)
  }
}
