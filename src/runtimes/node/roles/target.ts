/** A function in an application's code, as a role names it: `./tasks.ts:clean`. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { defaultExport, member } from '../../../fetch/handler.ts'
import { loadErrorOf } from '../../../fetch/load-error.ts'

/** The exports of the module. Where it cannot be loaded, that is said and the process ends. */
export async function load(file: string): Promise<object> {
  try {
    return await import(pathToFileURL(file).href)
  } catch (error) {
    console.error(loadErrorOf(error, file))
    process.exit(1)
  }
}

/** `dir`: where its path begins. Rejects when there is no such function. */
export async function functionOf(
  target: string,
  dir: string,
): Promise<(...args: readonly unknown[]) => unknown> {
  const colon = target.lastIndexOf(':')
  const file = resolve(dir, target.slice(0, colon))
  const exports = await load(file)
  const [first = '', ...path] = target.slice(colon + 1).split('.')
  let self: unknown
  // Of CommonJS, Node does not see every one.
  let found = member(exports, first) ?? member(defaultExport(exports), first)
  for (const name of path) {
    self = found
    found = member(found, name)
  }
  if (typeof found !== 'function') {
    const there = Object.keys(exports).join(', ') || 'nothing'
    throw new Error(
      `${file} exports no function ${target.slice(colon + 1)}; what it exports: ${there}`,
    )
  }
  const named = found
  return (...args) => Reflect.apply(named, self, args)
}
