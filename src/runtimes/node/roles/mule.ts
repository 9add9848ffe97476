/**
 * Runs a function of the application that is a program of its own:
 * `{ kind: 'mule', target: './feed.ts:main', number: 1 }`. It lives as long as Node has something to do.
 */
import { stackOf } from '../../../fetch/server.ts'
import type { RoleProcess } from './role.ts'
import { functionOf } from './target.ts'

export async function mule({ app, role, thread, listening }: RoleProcess): Promise<void> {
  let told = false
  thread.obey(({ type }) => {
    if (type !== 'retire' || told) return
    told = true
    // A program that ends in an orderly way listens for this, as everywhere.
    if (!process.emit('SIGTERM', 'SIGTERM')) process.exit(0)
  })
  try {
    const main = await functionOf(String(role.target), app.dir)
    // Where it listens itself, it is to listen there.
    listening.restore()
    await main()
  } catch (error) {
    console.error(stackOf(error))
    process.exit(1)
  }
}
