/**
 * The server process leads a session. The programs that it runs have process groups of their own in it, so
 * whoever outlives the server can find what it left behind. Programs that begin a session themselves mean to
 * stay. Linux only: elsewhere there is no /proc to look in.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** Counted behind the program's name, which may itself hold any character: state, parent, group, session. */
const SESSION = 3

/** Kills every process of the session that `leader` leads or has led, but not `leader`. */
export function killSession(leader: number): void {
  if (process.platform !== 'linux') return
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (Number.isNaN(pid) || pid === leader || sessionOf(pid) !== leader) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has gone meanwhile.
    }
  }
}

function sessionOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[SESSION])
  } catch {
    return Number.NaN
  }
}
