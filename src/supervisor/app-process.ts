/**
 * One application: its warm parent and the workers forked from it.
 *
 *     start ──► starting ──loaded──► running ──┐ a worker exits: forked again, with back-off
 *                 ▲  │                 │   ◄───┘
 *                 │  └─failed, late──► │ broken    (stays so until the next reload)
 *                 └────────────────────┴─ the parent died or lied: all anew, with back-off
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import type { FromParent, Runtime } from '../runtimes/runtime.ts'
import type { AppState, FromServer } from '../server/protocol.ts'
import type { AppPlan } from '../site/plan.ts'
import { leaveCoreToServer } from '../system/scheduling.ts'
import { type Credentials, launchAs } from '../system/users.ts'
import { Backoff, CIRCUIT_DEATHS } from './backoff.ts'
import { childEnvironment } from './environment.ts'
import { killGroup } from './kill-group.ts'
import { LineReader } from './lines.ts'
import { LONGEST_LOG_LINE } from './log-socket.ts'
import type { Logger } from './logger.ts'
import { openChannel, type ParentChannel } from './parent-channel.ts'
import { settledWithin } from './timers.ts'
import { WorkerSlot } from './worker-slot.ts'

/** A stuck worker writes its traceback before it is killed; Node's debugger has to be started for it. */
const TRACEBACK_MS = 150
const NODE_TRACEBACK_MS = 1_000
/** A parent that does not end a worker in this time is not in control of itself. */
const KILL_TIMEOUT_MS = 3_000
/** Parents that live shorter than this are restarted ever more slowly. */
const PARENT_YOUNG_MS = 5_000

export interface AppOptions {
  readonly app: AppPlan
  readonly runtime: Runtime
  readonly links: readonly string[]
  readonly log: string
  readonly dev: boolean
  readonly credentials: Credentials | null
  readonly logger: Logger
  /** Told of every change. */
  readonly changed: (status: AppState) => void
}

/** Facts for `status`. */
export interface AppFacts {
  readonly state: AppState['state']
  readonly detail: string
  readonly version: string
  readonly parent: number
  readonly workers: readonly { slot: number; pid: number; restarts: number; uptimeMs: number }[]
  readonly restarts: number
}

export class AppProcess {
  readonly #options: AppOptions
  readonly #slots: readonly WorkerSlot[]
  readonly #backoff = new Backoff({ youngMs: PARENT_YOUNG_MS, firstMs: 100, longestMs: 5_000 })
  #status: AppState = { state: 'starting' }
  #child: ChildProcess | null = null
  #channel: ParentChannel | null = null
  #exited: Promise<void> = Promise.resolve()
  #startedAt = 0
  #importTimer: NodeJS.Timeout | undefined
  #restartTimer: NodeJS.Timeout | undefined
  #version = ''
  #restarts = 0
  #stopping = false
  #hopeless = false
  #waiting: (() => void)[] = []

  constructor(options: AppOptions) {
    this.#options = options
    this.#slots = Array.from(
      { length: options.app.workers },
      (_, slot) =>
        new WorkerSlot(slot, options.app.name, options.logger, {
          fork: () => this.#channel?.send({ type: 'spawn', slot }),
          overdue: () => {
            if (this.#child !== null) this.#distrust(this.#child, `it did not fork worker ${slot}`)
          },
        }),
    )
  }

  get status(): AppState {
    return this.#status
  }

  /** It loads, but its workers do not live. */
  get isDyingYoung(): boolean {
    return this.#slots.some((slot) => slot.isDyingYoung)
  }

  get facts(): AppFacts {
    const workers = this.#slots.filter((slot) => slot.pid !== 0).map((slot) => slot.facts)
    return {
      state: this.#status.state,
      detail: this.#status.state === 'broken' ? this.#status.detail : '',
      version: this.#version,
      parent: this.#child?.pid ?? 0,
      workers,
      restarts: this.#slots.reduce((sum, slot) => sum + slot.restarts, this.#restarts),
    }
  }

  /** Starts the warm parent. What goes wrong is told through `changed` and the log. */
  start(): void {
    // Broken stays broken until it has loaded: meanwhile visitors get an answer and do not wait.
    if (this.#status.state !== 'broken') this.#change({ state: 'starting' })
    try {
      this.#launch()
    } catch (error) {
      this.#break(error instanceof Error ? error.message : String(error))
    }
  }

  /** Resolves once the application is broken, or running with a process in every slot. */
  async settled(): Promise<AppState> {
    while (!this.#isSettled()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.#status
  }

  #isSettled(): boolean {
    if (this.#status.state === 'starting') return this.#stopping
    return this.#status.state === 'broken' || this.#slots.every((slot) => slot.pid !== 0)
  }

  #wake(): void {
    if (!this.#isSettled()) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #change(status: AppState): void {
    this.#status = status
    this.#options.changed(status)
    this.#wake()
  }

  /** For good: only a reload tries again. */
  #break(detail: string): void {
    const { app, logger } = this.#options
    this.#hopeless = true
    logger.error(`application ${app.name} did not load: ${detail}`, { app: app.name })
    this.#change({ state: 'broken', detail })
  }

  #launch(): void {
    const { app, runtime, links, log, dev, credentials } = this.#options
    const command = runtime.command(app)
    const launch = launchAs(credentials, command.file, command.args)
    const child = spawn(launch.file, launch.args, {
      cwd: command.cwd,
      env: childEnvironment(command.env, credentials),
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      // Its own process group: safe from the terminal's Ctrl-C, and killed as a whole.
      detached: true,
      ...(launch.uid === undefined ? {} : { uid: launch.uid }),
      ...(launch.gid === undefined ? {} : { gid: launch.gid }),
    })
    this.#child = child
    this.#startedAt = performance.now()
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid === undefined) this.#couldNotStart(error)
        resolve()
      })
      child.once('exit', (code, signal) => {
        this.#parentDied(child, `${signal ?? `exit code ${code}`}`)
        resolve()
      })
    })
    if (child.pid === undefined) return
    leaveCoreToServer(child.pid)
    for (const stream of [child.stdout, child.stderr]) this.#logOutput(stream, child.pid)
    this.#channel = openChannel(
      child.stdio[3] as Duplex,
      (message) => this.#received(child, message),
      (what) => this.#distrust(child, `it sent what is no message: ${what}`),
    )
    this.#channel.send({ type: 'configure', app, links, log, dev })
    this.#importTimer = setTimeout(() => this.#tooLate(child), app.startTimeoutMs)
  }

  #logOutput(stream: NodeJS.ReadableStream | null, pid: number): void {
    const { app, logger } = this.#options
    const reader = new LineReader(LONGEST_LOG_LINE, (line) => {
      if (line !== '') logger.info(line, { app: app.name, pid })
    })
    stream?.on('data', (chunk: Buffer) => reader.feed(chunk))
    stream?.on('end', () => reader.end())
  }

  #received(child: ChildProcess, message: FromParent): void {
    if (this.#child !== child) return
    if (message.type === 'loaded') return this.#loaded(child, message.version)
    if (message.type === 'failed') {
      if (this.#status.state === 'running') return this.#distrust(child, 'it failed after loading')
      clearTimeout(this.#importTimer)
      this.#break(message.detail.trimEnd())
      this.#channel?.send({ type: 'quit' })
      return
    }
    const slot = this.#slots[message.slot]
    if (slot === undefined) return this.#distrust(child, `there is no slot ${message.slot}`)
    const expected = message.type === 'spawned' ? 0 : message.pid
    if (slot.pid !== expected) {
      return this.#distrust(
        child,
        `${message.type} ${message.pid}, but slot ${message.slot} holds ${slot.pid}`,
      )
    }
    if (message.type === 'spawned') slot.spawned(message.pid)
    else slot.exited(message, this.#stopping)
    this.#wake()
  }

  #loaded(child: ChildProcess, version: string): void {
    if (this.#stopping) return
    if (this.#status.state === 'running') return this.#distrust(child, 'it loaded twice')
    clearTimeout(this.#importTimer)
    this.#version = version
    this.#change({ state: 'running' })
    for (const slot of this.#slots) slot.spawn()
  }

  #couldNotStart(error: Error): void {
    clearTimeout(this.#importTimer)
    this.#child = null
    if (!this.#stopping) this.#break(`its interpreter cannot be started: ${error.message}`)
  }

  #tooLate(child: ChildProcess): void {
    const { app } = this.#options
    this.#break(
      `the import took longer than ${app.startTimeoutMs / 1000} s; raise \`start timeout\` if it needs that long`,
    )
    killGroup(child)
  }

  #distrust(child: ChildProcess, why: string): void {
    const { app, logger } = this.#options
    logger.error(`the warm parent of ${app.name} cannot be trusted: ${why}; killed`, {
      app: app.name,
      pid: child.pid ?? 0,
    })
    killGroup(child)
  }

  #parentDied(child: ChildProcess, how: string): void {
    if (this.#child !== child) return
    clearTimeout(this.#importTimer)
    // Its workers notice by themselves; this makes sure, before others take their places.
    killGroup(child)
    this.#child = null
    this.#channel = null
    for (const slot of this.#slots) slot.forget()
    if (this.#stopping || this.#hopeless) return
    const { app, logger } = this.#options
    const wait = this.#backoff.died(performance.now() - this.#startedAt)
    this.#restarts += 1
    const again = wait === 0 ? 'at once' : `in ${wait} ms`
    logger.error(`the warm parent of ${app.name} died (${how}); starting it again ${again}`, {
      app: app.name,
    })
    if (this.#backoff.deaths >= CIRCUIT_DEATHS) {
      this.#change({ state: 'broken', detail: `its process keeps dying (${how}); see the log` })
    }
    this.#restartTimer = setTimeout(() => this.start(), wait)
  }

  /** The server found a worker past its deadline: log where it hangs, then replace it. */
  stuck(report: Extract<FromServer, { type: 'stuck' }>): void {
    const slot = this.#slots[report.slot]
    if (slot === undefined || slot.pid !== report.pid || slot.doomed) return
    slot.doomed = true
    const { app, logger } = this.#options
    logger.error(
      `worker exceeded its deadline: ${report.request} has run for ${Math.round(report.elapsedMs)} ms; its traceback follows, then it is replaced`,
      { app: app.name, pid: report.pid },
    )
    this.#channel?.send({ type: 'traceback', slot: report.slot })
    const child = this.#child
    const tracebackMs = app.kind === 'node' ? NODE_TRACEBACK_MS : TRACEBACK_MS
    setTimeout(() => {
      if (slot.pid === report.pid) this.#channel?.send({ type: 'kill', slot: report.slot })
    }, tracebackMs)
    setTimeout(() => {
      if (slot.pid === report.pid && child !== null && this.#child === child) {
        this.#distrust(child, `it did not kill worker ${report.pid}`)
      }
    }, tracebackMs + KILL_TIMEOUT_MS).unref()
  }

  /** Lets the workers finish what they have in hand; kills what is left after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#restartTimer)
    clearTimeout(this.#importTimer)
    for (const slot of this.#slots) slot.stop()
    this.#wake()
    const child = this.#child
    if (child === null) return
    this.#channel?.send({ type: 'quit' })
    const { app, logger } = this.#options
    if (!(await settledWithin(this.#exited, timeoutMs))) {
      if (timeoutMs > 0) {
        logger.warn(`application ${app.name} did not end in time; killed`, { app: app.name })
      }
      killGroup(child)
      await this.#exited
    }
  }
}
