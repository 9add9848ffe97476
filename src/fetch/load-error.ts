/** Why a module of an application did not load, as its owner wants to read it. */
import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { stackOf } from './server.ts'

const TIMEOUT_MS = 5_000
/** What another Node may do to look at the modules: read them. */
const ARGS = ['--permission', '--allow-fs-read=*', '--input-type=module', '-e']

/** `file`: the module that was to be loaded, absolute. */
export function loadErrorOf(error: unknown, file: string): string {
  const told = stackOf(error)
  const placed = /^\S.*:\d+\n|\n\s+at (?!.*\bnode:)/.test(told)
  return error instanceof SyntaxError && !placed ? placeOf(error, file) || told : told
}

/**
 * Node tells where an ES module cannot be parsed only when it ends of that, on its stderr. No module
 * is run before all that it imports are parsed.
 */
function placeOf(error: SyntaxError, file: string): string {
  const code = `import ${JSON.stringify(pathToFileURL(file).href)}`
  const { stderr } = spawnSync(process.execPath, [...ARGS, code], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: TIMEOUT_MS,
  })
  const [text = ''] = stderr.split(/\n\s+at /, 1)
  return text.startsWith('file:') && text.endsWith(error.message) ? text : ''
}
