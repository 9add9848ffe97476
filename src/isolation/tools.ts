/** The machine's own tools that applications are started through, by their absolute paths. */
import { execFileSync } from 'node:child_process'
import { findProgram } from '../runtimes/find-program.ts'

const here = { dir: '/', env: {} }
const found = new Map<string, string>()

/**
 * The absolute path of a tool, looked for in our own PATH; '' when there is none. Never in the
 * application's: what it names is run as root.
 */
export function findTool(name: string): string {
  let path = found.get(name)
  if (path === undefined) {
    path = findProgram(name, here) || findProgram(`/usr/sbin/${name}`, here)
    found.set(name, path)
  }
  return path
}

const working = new Map<string, boolean>()

/** Whether this command can be run here; asked once. */
export function works(file: string, args: readonly string[]): boolean {
  const key = [file, ...args].join('\0')
  let answer = working.get(key)
  if (answer === undefined) {
    answer = file !== ''
    try {
      if (answer) execFileSync(file, args, { stdio: 'ignore', timeout: 10_000 })
    } catch {
      answer = false
    }
    working.set(key, answer)
  }
  return answer
}
