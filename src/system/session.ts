/**
 * The server process leads a session. The programs that it runs have process groups of their own in it, so
 * whoever outlives the server can find what it left behind. Programs that begin a session themselves mean to
 * stay. Linux only: elsewhere there is no /proc to look in.
 */
import { readdirSync } from 'node:fs'
import { SESSION, statOf } from './stat.ts'

/** Kills every process of the session that `leader` leads or has led, but not `leader`. */
export function killSession(leader: number): void {
  if (process.platform !== 'linux') return
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (Number.isNaN(pid) || pid === leader || statOf(pid)[SESSION] !== `${leader}`) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has gone meanwhile.
    }
  }
}
