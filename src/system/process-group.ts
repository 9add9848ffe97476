/** Who is left of a process group. */
import { readdirSync } from 'node:fs'
import { GROUP, STATE, statOf } from './stat.ts'

/**
 * One of the group that lives, so that it can be asked for alone the next time; 0: none. Those that have ended
 * and that nobody has buried yet, as where the first process of a container does not care, do not live.
 */
export function livingMember(group: number): number {
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (Number.isNaN(pid)) continue
    const stat = statOf(pid)
    if (stat[GROUP] === `${group}` && stat[STATE] !== 'Z' && stat[STATE] !== 'X') return pid
  }
  return 0
}
