/** Ends a whole process group, and one that nobody is left to end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { type Credentials, launchAs } from '../system/users.ts'

/** `leader` was started as the leader of a group of its own. */
export function killGroup(leader: ChildProcess): void {
  if (leader.pid === undefined) return
  try {
    process.kill(-leader.pid, 'SIGKILL')
  } catch {
    // Nobody is left in it.
  }
}

/**
 * A program that knows nothing of us would outlive a supervisor that is killed. This process waits for
 * that: when the supervisor's end of its stdin closes, it kills the group. `credentials`: the group's.
 */
export function guardGroup(leader: ChildProcess, credentials: Credentials | null): ChildProcess {
  const script = 'read -r _; kill -s KILL -- "-$1"'
  const launch = launchAs(credentials, '/bin/sh', ['-c', script, 'portico-guard', `${leader.pid}`])
  const guard = spawn(launch.file, launch.args, {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Safe from the terminal's Ctrl-C.
    detached: true,
    ...(launch.uid === undefined ? {} : { uid: launch.uid }),
    ...(launch.gid === undefined ? {} : { gid: launch.gid }),
  })
  guard.on('error', () => {})
  guard.stdin?.on('error', () => {})
  return guard
}
