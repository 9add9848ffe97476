/** Ends a whole process group, and one that nobody is left to end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { isAlive } from '../system/alive.ts'
import { livingMember } from '../system/process-group.ts'
import { type Credentials, launchAs } from '../system/users.ts'
import { delay } from './timers.ts'

const POLL_MS = 20

/** `leader` was started as the leader of a group of its own. */
export function killGroup(leader: ChildProcess): void {
  if (leader.pid === undefined) return
  try {
    process.kill(-leader.pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

/** The same, once what is left of the group has had `graceMs` to end by itself. */
export async function endGroup(leader: ChildProcess, graceMs: number): Promise<void> {
  const until = performance.now() + graceMs
  let member = 0
  while (performance.now() < until) {
    member = livingMemberOf(leader, member)
    if (member === 0) break
    await delay(POLL_MS)
  }
  killGroup(leader)
}

/** `last` where that one still lives; 0: nobody does. */
function livingMemberOf({ pid }: ChildProcess, last: number): number {
  try {
    if (pid === undefined || !process.kill(-pid, 0)) return 0
  } catch {
    return 0
  }
  if (process.platform !== 'linux') return pid
  return last > 0 && isAlive(last) ? last : livingMember(pid)
}

/**
 * A program that knows nothing of us would outlive a supervisor that is killed. This process waits for
 * that: when the supervisor's end of its stdin closes, it kills the group. `credentials`: the group's.
 * `then`: a command that it becomes afterwards.
 */
export function guardGroup(
  leader: ChildProcess,
  credentials: Credentials | null,
  then: readonly string[] = [],
): ChildProcess {
  const script = 'read -r _; kill -s KILL -- "-$1"; shift; [ $# -eq 0 ] || exec "$@"'
  const args = ['-c', script, 'portico-guard', `${leader.pid}`, ...then]
  const launch = launchAs(credentials, '/bin/sh', args)
  const guard = spawn(launch.file, launch.args, {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Safe from the terminal's Ctrl-C.
    detached: true,
    uid: launch.uid,
    gid: launch.gid,
  })
  guard.on('error', () => {})
  guard.stdin?.on('error', () => {})
  return guard
}
