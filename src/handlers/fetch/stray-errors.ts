/** Errors that belong to no request, in a thread that runs applications. */
import { stackOf } from '../../fetch/server.ts'

/** Where our own code is: the frames of an error there make it ours. */
const OURS = new URL('../../', import.meta.url).href

/**
 * From here on, what an application throws out of a timer or an event, or a promise that it forgets, is
 * logged, and the thread goes on. An error whose first frame is ours ends it, as before: then the thread
 * may not be what it should be.
 */
export function surviveStrayErrors(log: (text: string) => void): void {
  process.on('uncaughtException', (error, origin) => {
    if (isOurs(error)) throw error
    log(`an application's ${origin}: ${stackOf(error)}`)
  })
}

function isOurs(error: unknown): boolean {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const frame = stack.split('\n').find((line) => /^\s+at /.test(line) && !/\bnode:/.test(line))
  return frame?.includes(OURS) === true
}
