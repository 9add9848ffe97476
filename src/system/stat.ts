/** /proc/PID/stat, see proc(5). Linux only. */
import { readFileSync } from 'node:fs'

/** Places of fields, counted behind the program's name, which may itself hold any character. */
export const STATE = 0
export const GROUP = 2
export const SESSION = 3

/** [] where there is no such process, or no /proc. */
export function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return []
  }
}
