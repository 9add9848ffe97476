/**
 * A program that judges a server, from its start to its end: in a process group of its own, which is killed
 * as a whole when the program has ended, or when nobody waits any more. It stays in our session: what is
 * left when we are killed goes with that (see system/session.ts).
 */
import { neverBlocks, type SystemCallError } from '../system/libc.ts'
import { closeFile, nothing, openPipe, readNow } from '../system/pipes.ts'
import { type Ended, hasEnded, launch, reap } from '../system/spawn.ts'

/** Whether it has ended is asked after so long, and then ever less often, ms. */
const FIRST_LOOK_MS = 2
const LONGEST_LOOK_MS = 25
/** Of what it says, the last of it is kept, bytes. */
const MOST_SAID = 1_000

export interface Program {
  /** The first is the absolute path of what is started. */
  readonly argv: readonly string[]
  readonly folder: string
  /** `NAME=value`: the whole environment. */
  readonly env: readonly string[]
}

export interface Outcome extends Ended {
  /** The end of what it wrote to either of its outputs. */
  readonly said: string
}

const buffer = Buffer.allocUnsafeSlow(65_536)

/** Rejects with the signal's reason when it is aborted: by then the group has been sent SIGKILL. */
export function run({ argv, folder, env }: Program, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const [output, theirs] = openPipe()
    neverBlocks(output)
    let pid = 0
    let said = ''
    const hear = (): void => {
      // A pipe that is full would hold it up.
      const length = readNow(output, buffer)
      if (length > 0) said = (said + buffer.toString('latin1', 0, length)).slice(-MOST_SAID)
    }
    const abort = (): void => {
      killGroup(pid)
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort)
    const over = (): void => {
      signal.removeEventListener('abort', abort)
      closeFile(output)
    }
    const look = (waited: number): void => {
      hear()
      if (!hasEnded(pid)) {
        const next = Math.min(LONGEST_LOOK_MS, waited * 2)
        return void setTimeout(look, next, next)
      }
      // Until it is reaped its number, and so its group's, is nobody else's.
      killGroup(pid)
      const ended = reap(pid) ?? { code: 0, signal: 9 }
      hear()
      over()
      resolve({ ...ended, said: said.trim() })
    }
    const done = (error: SystemCallError | null, started: number): void => {
      closeFile(theirs)
      if (error !== null) {
        over()
        return reject(error)
      }
      pid = started
      if (signal.aborted) killGroup(pid)
      setTimeout(look, FIRST_LOOK_MS, FIRST_LOOK_MS)
    }
    try {
      const file = argv[0] ?? ''
      launch({
        file,
        folder,
        args: argv,
        env,
        stdin: nothing(),
        stdout: theirs,
        stderr: theirs,
        done,
      })
    } catch (error) {
      over()
      closeFile(theirs)
      reject(error)
    }
  })
}

function killGroup(pid: number): void {
  // Group 0 would be our own.
  if (pid === 0) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // All of the group have gone.
  }
}
