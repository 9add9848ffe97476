/** The process that has imported an application and forks its workers: its start, its word, its end. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { launchOf } from '../isolation/launch.ts'
import type { Quarters } from '../isolation/quarters.ts'
import type { Death, FromParent, Role, Runtime } from '../runtimes/runtime.ts'
import type { AppPlan } from '../site/plan.ts'
import { killGroup } from './kill-group.ts'
import type { Logger } from './logger.ts'
import { readOutput } from './output.ts'
import { openChannel, type ParentChannel } from './parent-channel.ts'
import type { RoleParent } from './roles.ts'
import { settledWithin } from './timers.ts'

/** 128 and the number of SIGKILL. */
const KILLED = 137

export interface ParentOptions {
  readonly app: AppPlan
  readonly runtime: Runtime
  readonly quarters: Quarters
  readonly dev: boolean
  readonly logger: Logger
}

/** What the application is told. The last of them is `gone`, once. */
export interface ParentEvents {
  loaded(parent: WarmParent, message: Extract<FromParent, { type: 'loaded' }>): void
  /** It will never fork a worker; why. */
  failed(parent: WarmParent, detail: string): void
  spawned(parent: WarmParent, slot: number, pid: number): void
  exited(parent: WarmParent, death: Death): void
  /** The process has ended, and all that it forked. */
  gone(parent: WarmParent, how: string): void
}

export class WarmParent implements RoleParent {
  readonly #options: ParentOptions
  readonly #events: ParentEvents
  readonly #startedAt = performance.now()
  /** What it said when it had loaded. */
  loaded: Extract<FromParent, { type: 'loaded' }> | null = null
  #state: 'loading' | 'loaded' | 'failed' | 'gone' = 'loading'
  #child: ChildProcess | null = null
  #channel: ParentChannel | null = null
  #exited: Promise<void> = Promise.resolve()
  #importTimer: NodeJS.Timeout | undefined

  /** Starts it. Throws, with a remedy, when the machine lacks what it needs. */
  constructor(options: ParentOptions, events: ParentEvents) {
    this.#options = options
    this.#events = events
    this.#launch()
  }

  get pid(): number {
    return this.#state === 'gone' ? 0 : (this.#child?.pid ?? 0)
  }

  get isLoaded(): boolean {
    return this.#state === 'loaded'
  }

  get livedMs(): number {
    return performance.now() - this.#startedAt
  }

  #launch(): void {
    const { app, runtime, quarters, dev, logger } = this.#options
    const launch = launchOf(quarters, runtime.command(app))
    const child = spawn(launch.file, launch.args, {
      cwd: launch.cwd,
      env: launch.env,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      // Its own process group: safe from the terminal's Ctrl-C, and killed as a whole.
      detached: true,
      uid: launch.uid,
      gid: launch.gid,
    })
    this.#child = child
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid === undefined) {
          this.#fail(`its interpreter cannot be started: ${error.message}`)
          this.#gone(error.message)
        }
        resolve()
      })
      child.once('exit', (code, signal) => {
        // What waits for a parent in its walls says it as a shell does.
        const killed = signal === 'SIGKILL' || code === KILLED
        this.#gone((killed && quarters.killedBy()) || `${signal ?? `exit code ${code}`}`)
        resolve()
      })
    })
    if (child.pid === undefined) return
    const from = { app: app.name, pid: child.pid }
    readOutput(child, (line) => logger.info(line, from))
    this.#channel = openChannel(
      child.stdio[3] as Duplex,
      (message) => this.#received(message),
      (what) => this.distrust(`it sent what is no message: ${what}`),
    )
    const { links, log, appInside } = quarters
    this.#channel.send({ type: 'configure', app: appInside, links, log, dev })
    this.#importTimer = setTimeout(() => this.#tooLate(), app.startTimeoutMs)
  }

  #received(message: FromParent): void {
    if (this.#state === 'gone') return
    switch (message.type) {
      case 'loaded':
        if (this.#state === 'failed') return
        if (this.#state === 'loaded') return this.distrust('it loaded twice')
        clearTimeout(this.#importTimer)
        this.#state = 'loaded'
        return this.#events.loaded(this, message)
      case 'failed':
        if (this.#state === 'loaded') return this.distrust('it failed after loading')
        this.#fail(message.detail.trimEnd())
        return this.quit()
      case 'spawned':
        return this.#events.spawned(this, message.slot, message.pid)
      case 'exited':
        return this.#events.exited(this, message)
    }
  }

  #fail(detail: string): void {
    clearTimeout(this.#importTimer)
    if (this.#state !== 'loading') return
    this.#state = 'failed'
    this.#events.failed(this, detail)
  }

  #tooLate(): void {
    const { app } = this.#options
    this.#fail(
      `the import took longer than ${app.startTimeoutMs / 1000} s; raise \`start timeout\` if it needs that long`,
    )
    this.#kill()
  }

  #gone(how: string): void {
    if (this.#state === 'gone') return
    clearTimeout(this.#importTimer)
    // Its workers notice by themselves; this makes sure, before others take their places.
    this.#kill()
    this.#state = 'gone'
    this.#events.gone(this, how)
  }

  #kill(): void {
    if (this.#child !== null) killGroup(this.#child)
  }

  /** It is not in control of itself, or not ours. */
  distrust(why: string): void {
    if (this.#state === 'gone') return
    const { app, logger } = this.#options
    logger.error(`the warm parent of ${app.name} cannot be trusted: ${why}; killed`, {
      app: app.name,
      pid: this.pid,
    })
    this.#kill()
  }

  // Orders.

  spawn(slot: number, role?: Role): void {
    this.#channel?.send({ type: 'spawn', slot, ...(role === undefined ? {} : { role }) })
  }

  /** Has the worker finish what it has in hand and exit. */
  retire(slot: number): void {
    this.#channel?.send({ type: 'retire', slot })
  }

  kill(slot: number): void {
    this.#channel?.send({ type: 'kill', slot })
  }

  /** Has the worker write where it is to its log. */
  traceback(slot: number, goesOn = false): void {
    this.#channel?.send({ type: 'traceback', slot, goesOn })
  }

  /** Has it retire its workers, and end. */
  quit(): void {
    this.#channel?.send({ type: 'quit' })
  }

  /** Has it end, and waits for that; kills what is left after `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    if (this.#state === 'gone') return
    clearTimeout(this.#importTimer)
    this.quit()
    if (await settledWithin(this.#exited, timeoutMs)) return
    const { app, logger } = this.#options
    if (timeoutMs > 0) {
      logger.warn(`application ${app.name} did not end in time; killed`, { app: app.name })
    }
    this.#kill()
    await this.#exited
  }
}
