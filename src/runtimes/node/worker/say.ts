/** A line for the log from a thread that has no console of its own. */
import { writeSync } from 'node:fs'

const STDERR = 2

export function say(text: string): void {
  try {
    writeSync(STDERR, `${text}\n`)
  } catch {
    // Nobody takes lines just now: that is no reason to end.
  }
}
