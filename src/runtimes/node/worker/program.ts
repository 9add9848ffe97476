/** What the application's module turned out to be. */
import { createServer, type RequestListener, Server } from 'node:http'
import { defaultExport, type FetchHandler, findFetch, member } from '../../../fetch/handler.ts'
import type { NodeAppPlan } from '../../../site/plan.ts'
import { adapt, type Listening } from './listening.ts'

export type Program =
  | { readonly kind: 'fetch'; readonly handler: FetchHandler }
  | { readonly kind: 'http'; readonly server: Server }

/**
 * Resolves once the program can be asked; for one that exports nothing that is when it listens. Rejects
 * with what is missing.
 */
export async function findProgram(
  app: NodeAppPlan,
  exports: object,
  listening: Listening,
  path: string,
): Promise<Program> {
  const { mode, file } = app
  if (mode === 'fetch') {
    const handler = findFetch(exports)
    if (handler !== null) return { kind: 'fetch', handler }
    throw new Error(`${file} exports no fetch handler: \`export default { fetch(request) { … } }\``)
  }
  if (mode === 'listener') {
    const listener = await listenerOf(defaultExport(exports))
    if (listener !== null) return serve(listener, path)
    throw new Error(`${file} exports no listener: \`export default (req, res) => { … }\``)
  }
  if (mode === 'auto' && listening.server === null) {
    const main = defaultExport(exports)
    if (main instanceof Server) main.listen({ path, writableAll: true })
    else {
      const listener = isListener(main) ? await listenerOf(main) : null
      if (listener !== null) return serve(listener, path)
      const handler = findFetch(exports)
      if (handler !== null) return { kind: 'fetch', handler }
    }
  }
  return { kind: 'http', server: await heard(listening) }
}

/** A function of two arguments, or an application object of a framework, and no fetch handler. */
function isListener(main: unknown): boolean {
  if (typeof member(main, 'fetch') === 'function') return false
  if (typeof main !== 'function') return typeof main === 'object' && main !== null
  return main.length >= 2 || typeof member(main, 'handle') === 'function'
}

/** Functions, Express and Connect; Koa's `callback()`; Fastify's `routing`; `handle` and `handler` of others. */
async function listenerOf(main: unknown): Promise<RequestListener | null> {
  if (typeof main === 'function') return main as RequestListener
  const callback = member(main, 'callback')
  if (typeof callback === 'function') return callback.call(main)
  if (typeof member(main, 'routing') === 'function') {
    const ready = member(main, 'ready')
    if (typeof ready === 'function') await ready.call(main)
  }
  for (const name of ['routing', 'handle', 'handler']) {
    const method = member(main, name)
    if (typeof method === 'function') return (req, res) => method.call(main, req, res)
  }
  return null
}

async function serve(listener: RequestListener, path: string): Promise<Program> {
  const server = createServer(listener)
  adapt(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path, writableAll: true }, resolve)
  })
  return { kind: 'http', server }
}

async function heard(listening: Listening): Promise<Server> {
  if (listening.server?.listening !== true) {
    await new Promise<void>((resolve) => {
      listening.heard = resolve
    })
  }
  return listening.server!
}
