/*
 * Preloaded into a worker (`node --import entry.mjs app.ts`), so that the application's module is the
 * program's own, as when Node runs it. Threads and processes that the application starts get this
 * preloaded as well: they find no order and stay as they are.
 */
import { cacheCompiled } from '../compile-cache.mjs'
import { START_VARIABLE } from '../start-variable.mjs'

const order = process.env[START_VARIABLE]
if (order !== undefined) {
  delete process.env[START_VARIABLE]
  cacheCompiled()
  const { begin } = await import('./worker.ts')
  begin(JSON.parse(order))
}
