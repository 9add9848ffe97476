/** The machine's own tools that others' programs are started through, by their absolute paths. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const found = new Map<string, string>()

/**
 * The absolute path of a tool, looked for in our own PATH; '' when there is none. Never in the
 * application's: what it names is run as root.
 */
export function findTool(name: string): string {
  let path = found.get(name)
  if (path === undefined) {
    const folders = (process.env.PATH ?? '').split(delimiter).filter((each) => each.startsWith('/'))
    path =
      [...folders, '/usr/sbin', '/usr/bin'].map((each) => join(each, name)).find(isExecutable) ?? ''
    found.set(name, path)
  }
  return path
}

/** Whether it is a file that we may run. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
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
