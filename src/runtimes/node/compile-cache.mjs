/*
 * Has Node keep what it has compiled, where `bin/portico` keeps it too. Without, each worker would compile
 * our TypeScript anew, and the compiler alone takes 40 MB and 100 ms. Plain JavaScript, to be there before it.
 */
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../../../node_modules/.cache/portico', import.meta.url))

export function cacheCompiled() {
  enableCompileCache?.(FOLDER)
}
