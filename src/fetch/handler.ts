/** What a module's exports offer as a fetch handler. */
import type { FetchServer } from './server.ts'

export type FetchFunction = (
  request: Request,
  server: FetchServer,
  again: FetchServer,
) => Response | Promise<Response>

/** Called as a method of `self`, since `fetch` may use `this`. */
export interface FetchHandler {
  readonly self: unknown
  readonly fetch: FetchFunction
}

/**
 * The handler of `exports`: `export default { fetch }`, a default function, or `export function fetch`.
 * Null when there is none.
 */
export function findFetch(exports: object): FetchHandler | null {
  const main = defaultExport(exports)
  for (const self of [main, exports]) {
    const fetch = member(self, 'fetch')
    if (typeof fetch === 'function') return { self, fetch: fetch as FetchFunction }
  }
  return typeof main === 'function' ? { self: undefined, fetch: main as FetchFunction } : null
}

/** `default`, also of what a compiler has made CommonJS of. */
export function defaultExport(exports: object): unknown {
  const main = member(exports, 'default')
  return member(main, '__esModule') === true ? member(main, 'default') : main
}

export function member(object: unknown, name: string): unknown {
  const holds = (typeof object === 'object' && object !== null) || typeof object === 'function'
  return holds ? Reflect.get(object, name) : undefined
}
