/**
 * Preloaded into a worker (`node --import entry.ts app.ts`), so that the application's module is the
 * program's own, as when Node runs it. Threads and processes that the application starts get this
 * preloaded as well: they find no order and stay as they are.
 */
import { START_VARIABLE } from '../orders.ts'

const order = process.env[START_VARIABLE]
if (order !== undefined) {
  delete process.env[START_VARIABLE]
  const { begin } = await import('./worker.ts')
  begin(JSON.parse(order))
}
