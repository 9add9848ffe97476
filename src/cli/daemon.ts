/** Going to the background, for commands that other servers' scripts expect to return. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'

/** Set for the process that does the work. */
const MARK = 'PORTICO_IN_BACKGROUND'

/**
 * Starts this program again in a session of its own, with `log` ('' for nowhere) as its output. True:
 * this process has done its part; false: it is the one in the background.
 */
export function becomeDaemon(log: string): boolean {
  if (process.env[MARK] !== undefined) {
    delete process.env[MARK]
    return false
  }
  const out = openSync(log === '' ? '/dev/null' : log, 'a', 0o640)
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    env: { ...process.env, [MARK]: '1' },
    stdio: ['ignore', out, out],
  })
  child.unref()
  closeSync(out)
  return true
}
