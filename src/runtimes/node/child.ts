/** A worker as the warm parent sees it: its process, its log, its orders. */
import { type ChildProcess, spawn } from 'node:child_process'
import { connect } from 'node:net'
import { constants } from 'node:os'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { LineReader } from '../../supervisor/lines.ts'
import type { Role } from '../runtime.ts'
import type { FromWorker, ToWorker, WorkerStart } from './orders.ts'
import { START_VARIABLE } from './start-variable.mjs'

const ENTRY = fileURLToPath(new URL('./worker/entry.mjs', import.meta.url))
const ROLE_ENTRY = fileURLToPath(new URL('./roles/entry.mjs', import.meta.url))
/** A stack may be long, characters. */
const LONGEST_LINE = 1_048_576
/**
 * Heads that the server has let pass must not be too large here, where fields about the visitor were
 * added.
 */
const HEADER_SIZE = '--max-http-header-size=262144'

export interface Death {
  readonly code: number | null
  readonly signal: number | null
}

export interface ChildEvents {
  said(message: FromWorker): void
  exited(death: Death): void
}

export class Child {
  readonly pid: number
  readonly #process: ChildProcess
  readonly #orders: Duplex

  /** `log`: the log socket, or what this process prints to where there is none. */
  constructor(start: WorkerStart, log: Log, events: ChildEvents) {
    const { app, role } = start
    const child = spawn(process.execPath, program(start), {
      cwd: app.dir,
      env: { ...process.env, [START_VARIABLE]: JSON.stringify(start) },
      stdio: ['ignore', log.output, log.output, 'pipe'],
    })
    this.#process = child
    this.pid = child.pid ?? 0
    log.introduce({ ...aboutRole(role), app: app.name, slot: 0, pid: this.pid })
    this.#orders = child.stdio[3] as Duplex
    const reader = new LineReader(LONGEST_LINE, (line) => events.said(JSON.parse(line)))
    this.#orders.on('data', (chunk: Buffer) => reader.feed(chunk))
    // Its exit says all there is to say.
    this.#orders.on('error', () => {})
    let over = false
    const end = (death: Death): void => {
      if (over) return
      over = true
      events.exited(death)
    }
    child.on('error', () => end({ code: 127, signal: null }))
    // When all it has said was heard: `close`, not `exit`.
    child.on('close', (code, signal) =>
      end({ code, signal: signal === null ? null : constants.signals[signal] }),
    )
  }

  tell(message: ToWorker): void {
    if (this.#orders.writable) this.#orders.write(`${JSON.stringify(message)}\n`)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}

function program({ app, role }: WorkerStart): string[] {
  if (role === undefined) return [HEADER_SIZE, '--import', ENTRY, app.file]
  // What follows is for those who look at the list of processes.
  return [ROLE_ENTRY, role.kind, String(role.target ?? role.module ?? app.file)]
}

/** A call has a task and a run. */
function aboutRole(role: Role | undefined): object {
  const facts = Object.entries(role ?? {}).filter(([name]) => name === 'task' || name === 'run')
  return Object.fromEntries(facts)
}

/** Where a worker's stdout and stderr go. */
export interface Log {
  readonly output: Duplex | 'inherit'
  introduce(who: object): void
}

/** A connection to the log socket, which the worker gets; without one, what this process prints to. */
export function openLog(path: string): Promise<Log> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      resolve({
        output: socket,
        introduce(who) {
          // Before the worker's first word: it is still being started.
          socket.write(`${JSON.stringify(who)}\n`, () => socket.destroy())
        },
      })
    })
    socket.on('error', () => resolve({ output: 'inherit', introduce() {} }))
  })
}
