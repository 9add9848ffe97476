/**
 * A program of the owner's that runs beside the site: its own process group, its output line by line,
 * and nothing of it left when it ends, when it is told to, or when the supervisor is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { CommandPlan } from '../site/background-plan.ts'
import { childEnvironment } from '../supervisor/environment.ts'
import { endGroup, guardGroup, killGroup } from '../supervisor/kill-group.ts'
import { readOutput } from '../supervisor/output.ts'
import { settledWithin } from '../supervisor/timers.ts'
import { type Credentials, findCredentials, launchAs } from '../system/users.ts'

/** Its last words may still be in the pipe when it has ended, ms. */
const LAST_WORDS_MS = 500

/** How a program ended: one of the three. */
export interface End {
  readonly code: number | null
  readonly signal: string | null
  /** It could not be started at all; '' when it could. */
  readonly failure: string
}

export class CommandProcess {
  /** Resolves when it has ended, after its last line. */
  readonly ended: Promise<End>
  readonly #child: ChildProcess
  /** Until when it was told to be gone; 0: it has not been told. */
  #graceUntil = 0

  /** Throws an Error when there is no such user. `site`: whom the site runs as. */
  constructor(command: CommandPlan, site: Credentials | null, line: (text: string) => void) {
    const credentials = credentialsOf(command, site)
    const [file = '', ...args] = command.argv
    const env = childEnvironment({ ...process.env, ...command.env }, credentials)
    const launch = launchAs(credentials, file, args, env)
    const child = spawn(launch.file, launch.args, {
      cwd: command.dir,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: safe from the terminal's Ctrl-C, and ended as a whole.
      detached: true,
      uid: launch.uid,
      gid: launch.gid,
    })
    this.#child = child
    readOutput(child, line)
    const guard = child.pid === undefined ? null : guardGroup(child, credentials)
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid !== undefined) return
        resolve({ code: null, signal: null, failure: `it cannot be started: ${error.message}` })
      })
      child.once('exit', async (code, signal) => {
        // What it has started goes with it. A shell is gone at once when it is told to end; what runs
        // in it, such as a database that writes its files, has the time that was given.
        await endGroup(child, this.#graceUntil - performance.now())
        guard?.kill('SIGKILL')
        // What has left the group may hold the pipe for as long as it likes.
        if (!(await settledWithin(closed, LAST_WORDS_MS))) {
          child.stdout?.destroy()
          child.stderr?.destroy()
        }
        resolve({ code, signal, failure: '' })
      })
    })
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Tells it and what it has started to end; kills what is left after `graceMs`. */
  async stop(signal: NodeJS.Signals, graceMs: number): Promise<void> {
    if (this.#child.pid === undefined) return
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#graceUntil = performance.now() + graceMs
      try {
        process.kill(-this.#child.pid, graceMs > 0 ? signal : 'SIGKILL')
      } catch {
        // It is just ending.
      }
      if (!(await settledWithin(this.ended, graceMs))) killGroup(this.#child)
    }
    await this.ended
  }
}

function credentialsOf({ user, group }: CommandPlan, site: Credentials | null): Credentials | null {
  // Who is not root cannot become anybody.
  return user === '' || process.getuid?.() !== 0 ? site : findCredentials(user, group)
}

/** For people: `exit code 1`, `SIGKILL`, or why it could not be started. */
export function showEnd({ code, signal, failure }: End): string {
  return failure === '' ? (signal ?? `exit code ${code}`) : failure
}
