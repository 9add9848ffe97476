/**
 * One application that a service of its own runs, such as php-fpm.
 *
 *     start ──► starting ──answers──► running     (the service replaces its own workers)
 *                 ▲  │                   │
 *                 │  └─ended, late──► broken       (stays so until the next reload)
 *                 └──────────────────────┴─ the service died: anew, with back-off
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, closeSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { launchOf } from '../isolation/launch.ts'
import type { Quarters } from '../isolation/quarters.ts'
import type { Role } from '../runtimes/runtime.ts'
import type { Service, ServiceNews, ServiceRuntime } from '../runtimes/service.ts'
import type { AppState, FromServer } from '../server/protocol.ts'
import type { Address, AppPlan } from '../site/plan.ts'
import { leaveCoreToServer } from '../system/scheduling.ts'
import type { AppLifetime } from './app-lifetime.ts'
import type { AppFacts } from './app-process.ts'
import { afterWait, Backoff, CIRCUIT_DEATHS } from './backoff.ts'
import { childrenOf, isChild } from './children.ts'
import { endGroup, guardGroup, killGroup } from './kill-group.ts'
import type { Logger } from './logger.ts'
import { readOutput } from './output.ts'
import { Restarts } from './restarts.ts'
import { refuseRole } from './roles.ts'
import { said } from './said.ts'
import { fieldsOf, SlowLog, type SlowReport } from './slow-log.ts'
import { SlowWorkers } from './slow-workers.ts'
import { delay, settledWithin } from './timers.ts'

/** Services that live shorter than this are restarted ever more slowly, ms. */
const YOUNG_MS = 5_000
const PROBE_EVERY_MS = 20
/** One that does not answer a single question in this time is asked again. */
const PROBE_TIMEOUT_MS = 2_000
/** What a service that is replaced because a worker hangs may still finish. */
const RECYCLE_MS = 3_000
/** Last words that explain a failed start, lines. */
const LAST_WORDS = 20

export interface ServiceOptions {
  readonly app: AppPlan
  readonly runtime: ServiceRuntime
  readonly socket: string
  readonly backlog: number
  readonly dev: boolean
  readonly watch: boolean
  /** After so long its stack of a request may be asked for, ms; 0: never. */
  readonly slowMs: number
  readonly quarters: Quarters
  /** Whom it has to become by itself; '' when it is started as who it shall be. */
  readonly becomes: string
  readonly logger: Logger
  /** Told of every change. */
  readonly changed: (status: AppState) => void
}

export class ServiceProcess implements AppLifetime {
  readonly #options: ServiceOptions
  readonly #slowLog: SlowLog
  readonly #backoff = new Backoff({ youngMs: YOUNG_MS, firstMs: 100, longestMs: 5_000 })
  readonly #over = new AbortController()
  #status: AppState = { state: 'starting' }
  #service: Service | null = null
  /** Null where the service cannot tell which of its workers is slow. */
  #slow: SlowWorkers | null = null
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #startedAt = 0
  #restartTimer: NodeJS.Timeout | undefined
  #recycling = false
  #launches = 0
  /** What was started waits for the service, which is its child. */
  #forks = false
  /** Its first process, where that is none of ours. */
  #inner = 0
  readonly #restarts = new Restarts()
  /** Workers that were killed for their deadline, until their end is told. */
  readonly #overdue = new Set<number>()
  #lastWords: string[] = []
  #waiting: (() => void)[] = []

  constructor(options: ServiceOptions) {
    this.#options = options
    this.#slowLog = new SlowLog(options.app.name, options.logger)
  }

  get status(): AppState {
    return this.#status
  }

  get isDyingYoung(): boolean {
    return this.#backoff.deaths >= CIRCUIT_DEATHS
  }

  get facts(): AppFacts {
    const parent = this.#child?.pid ?? 0
    const workers = parent === 0 ? [] : childrenOf(parent)
    return {
      state: this.#status.state,
      detail: this.#status.state === 'broken' ? this.#status.detail : '',
      version: this.#service?.version ?? '',
      parent,
      workers: workers.map((worker, slot) => ({
        slot,
        restarts: 0,
        reasons: {},
        lastRestart: null,
        ...worker,
      })),
      restarts: this.#restarts.total,
      reasons: this.#restarts.counts,
      ...this.#options.quarters.told(this.#inner || parent),
    }
  }

  start(): void {
    // Broken stays broken until it answers: meanwhile visitors get an answer and do not wait.
    if (this.#status.state !== 'broken') this.#change({ state: 'starting' })
    this.#launch().catch((error: unknown) => {
      if (!this.#over.signal.aborted) this.#break(said(error))
    })
  }

  async settled(): Promise<AppState> {
    while (this.#status.state === 'starting' && !this.#over.signal.aborted) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.#status
  }

  #change(status: AppState): void {
    this.#status = status
    this.#options.changed(status)
    this.#wake()
  }

  #wake(): void {
    if (this.#status.state === 'starting' && !this.#over.signal.aborted) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** For good: only a reload tries again. */
  #break(detail: string): void {
    const { app, logger } = this.#options
    logger.error(`application ${app.name} did not start: ${detail}`, { app: app.name })
    this.#change({ state: 'broken', detail })
  }

  async #launch(): Promise<void> {
    const { app, runtime, quarters, socket, backlog, dev, watch, slowMs, becomes } = this.#options
    const inherits = quarters.server !== null
    // A new one each time: what is in the last one is the application's own, and may be anything.
    const folder = inherits
      ? join(quarters.folder, `service-${++this.#launches}`)
      : socket.replace(/\.sock$/, '')
    const place = { folder, socket, inherits, backlog, dev, watch, slowMs, becomes }
    const service = await runtime.prepare(app, place)
    if (this.#over.signal.aborted) return
    this.#service = service
    this.#slow?.clear()
    this.#slow =
      service.traces === ''
        ? null
        : new SlowWorkers(service.traces, (pid, stack) => this.#endWorker(pid, stack))
    this.#write(service, folder)
    const child = this.#spawn(service)
    const startedAt = performance.now()
    this.#startedAt = startedAt
    this.#lastWords = []
    let ended = ''
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        if (child.pid === undefined) ended = error.message
        resolve()
      })
      const bury = (code: number | null, signal: string | null): void => {
        ended = signal ?? `exit code ${code}`
        if (this.#child === child) this.#child = null
        resolve()
      }
      // At `close` its last words have arrived. One that is replaced is not waited for.
      child.once('exit', (code, signal) => {
        if (this.#recycling) bury(code, signal)
      })
      child.once('close', bury)
    })
    let met = await this.#meet(service, socket)
    while (ended === '' && met === null) {
      if (performance.now() - startedAt > app.startTimeoutMs) {
        killGroup(child)
        throw new Error(
          `it did not answer within ${app.startTimeoutMs / 1000} s; raise \`start-timeout\` if it needs that long`,
        )
      }
      await delay(PROBE_EVERY_MS, this.#over.signal)
      met = await this.#meet(service, socket)
    }
    if (this.#over.signal.aborted) return
    if (ended !== '' && this.#restarts.total === 0) {
      throw new Error([`it ended at once (${ended})`, ...this.#lastWords].join('\n'))
    }
    if (ended === '') this.#change({ state: 'running', ...met })
    void this.#exited.then(() => this.#died(ended))
  }

  /** Null: it does not answer yet. */
  async #meet(service: Service, socket: string): Promise<{ address?: Address } | null> {
    if (service.reach === undefined) return (await answers(socket, service)) ? {} : null
    const found = await service.reach.find()
    this.#inner = found?.pid ?? 0
    return found === null ? null : { address: found.address }
  }

  #write({ files, reach }: Service, folder: string): void {
    const { socket, quarters } = this.#options
    const { credentials } = quarters
    const own = (path: string): void => {
      if (credentials !== null) chownSync(path, credentials.uid, credentials.gid)
    }
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name)
      writeFileSync(path, content, { mode: 0o600 })
      own(path)
    }
    own(folder)
    reach?.prepare()
    rmSync(socket, { force: true })
  }

  #spawn({ command, read, listensOnStdin, reach }: Service): ChildProcess {
    const { quarters, backlog } = this.#options
    const launch = launchOf(quarters, command)
    const fd = quarters.openService(backlog)
    const inherited = fd < 0 ? [] : [fd]
    const child = spawn(launch.file, launch.args, {
      cwd: launch.cwd,
      env: launch.env,
      stdio: [listensOnStdin && fd >= 0 ? fd : 'ignore', 'pipe', 'pipe', ...inherited],
      // Its own process group: safe from the terminal's Ctrl-C, and killed as a whole.
      detached: true,
      uid: launch.uid,
      gid: launch.gid,
    })
    this.#child = child
    this.#forks = launch.forks
    if (fd >= 0) closeSync(fd)
    if (child.pid === undefined) return child
    leaveCoreToServer(child.pid)
    const guard = guardGroup(child, quarters.credentials, reach?.guard)
    child.once('exit', () => {
      // Its workers would keep the socket from the next one, unless they are about to end.
      void reach?.clear()
      const stopping = this.#over.signal.aborted
      const graceMs = stopping ? Number.POSITIVE_INFINITY : this.#recycling ? RECYCLE_MS : 0
      void endGroup(child, graceMs).then(() => guard.kill('SIGKILL'))
    })
    readOutput(child, (line) => this.#hear(child, read(line)))
    return child
  }

  #hear(child: ChildProcess, news: ServiceNews): void {
    const { app, logger } = this.#options
    switch (news.type) {
      case 'log': {
        const pid = news.pid === 0 ? (child.pid ?? 0) : news.pid
        if (this.#status.state !== 'running' && news.level !== 'debug') {
          this.#lastWords = [...this.#lastWords, news.message].slice(-LAST_WORDS)
        }
        return logger[news.level](news.message, { app: app.name, pid })
      }
      case 'died': {
        this.#slow?.died(news.pid)
        const overdue = this.#overdue.delete(news.pid)
        if (news.expected) return
        const how = this.#why(news.how)
        const reason = how === news.how ? 'signal' : 'oom'
        this.#restarts.count(overdue ? 'deadline' : reason, how)
        return logger.warn(`worker died (${how}); replaced at once`, {
          app: app.name,
          pid: news.pid,
        })
      }
      case 'slow':
        return this.#slow?.slow(news.pid, news.request, news.elapsedMs)
      case 'traced':
        return this.#slow?.traced(news.pid)
    }
  }

  /** With what the kernel has to say about it. */
  #why(how: string): string {
    return this.#options.quarters.killedBy() || how
  }

  #died(ended: string): void {
    if (this.#over.signal.aborted) return
    this.#slow?.clear()
    const { app, logger } = this.#options
    if (this.#recycling) {
      this.#recycling = false
      return this.start()
    }
    const how = this.#why(ended)
    const wait = this.#backoff.died(performance.now() - this.#startedAt)
    this.#restarts.count('parent', how)
    logger.error(
      `${this.#service?.version} of ${app.name} died (${how}); starting it again ${afterWait(wait)}`,
      { app: app.name },
    )
    if (this.#backoff.deaths >= CIRCUIT_DEATHS) {
      this.#change({ state: 'broken', detail: `its process keeps dying (${how}); see the log` })
    } else if (this.#status.state === 'running') this.#change({ state: 'starting' })
    this.#restartTimer = setTimeout(() => this.start(), wait)
  }

  slow(report: SlowReport): void {
    const { request, alias = request, elapsedMs } = report
    if (this.#slow === null) {
      this.#slowLog.tell(report, `${this.#service?.version ?? 'its service'} shows no stacks`)
      return
    }
    if (!this.#slowLog.tell(report, 'its stack follows where it can be had, and it goes on')) return
    const now = performance.now()
    const { app, logger } = this.#options
    this.#slow.suspected(
      { request: alias, sentAt: now - elapsedMs, endedAt: now },
      (pid, stack) => {
        if (stack !== '') logger.warn(stack, fieldsOf(app.name, { ...report, pid }))
      },
    )
  }

  stuck(report: Extract<FromServer, { type: 'stuck' }>): void {
    const { app, logger } = this.#options
    const { request, alias = request, elapsedMs } = report
    const child = this.#child
    if (child === null || this.#over.signal.aborted) return
    logger.error(
      `request exceeded its deadline: ${request} has run for ${Math.round(elapsedMs)} ms; the worker that has it is replaced`,
      fieldsOf(app.name, report),
    )
    if (this.#slow === null) return this.#recycle(child)
    const endedAt = performance.now()
    this.#slow.abandoned({ request: alias, sentAt: endedAt - elapsedMs, endedAt })
  }

  /** It cannot tell which worker hangs: all of them are replaced. */
  #recycle(child: ChildProcess): void {
    if (this.#recycling) return
    this.#recycling = true
    this.#change({ state: 'starting' })
    this.#signal(child, this.#service?.stopSignal)
    const timer = setTimeout(() => killGroup(child), RECYCLE_MS)
    child.once('exit', () => clearTimeout(timer))
  }

  #endWorker(pid: number, stack: string): void {
    const { app, logger } = this.#options
    if (stack !== '') logger.error(stack, { app: app.name, pid })
    if (this.#child?.pid === undefined || !isChild(pid, this.#child.pid)) return
    try {
      process.kill(pid, 'SIGKILL')
      this.#overdue.add(pid)
    } catch {
      // It has just ended by itself.
    }
  }

  adjust(): void {
    const { app, logger } = this.#options
    logger.warn(`the number of ${app.name}'s workers is changed in the site file`, {
      app: app.name,
    })
  }

  get wanted(): number {
    return this.#options.app.workers
  }

  /** It minds the number of its workers by itself. */
  heard(): void {}

  async reload(): Promise<never> {
    const { app } = this.#options
    throw new Error(
      `application ${app.name} cannot be reloaded alone: its scripts are read anew by themselves, and its settings with the whole site's`,
    )
  }

  keep(role: Role): never {
    refuseRole(this.#options.app.name, this.#options.app.kind, role)
  }

  async once(role: Role): Promise<never> {
    refuseRole(this.#options.app.name, this.#options.app.kind, role)
  }

  /** What waits for the service in its walls would not hand a signal on. */
  #signal(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): void {
    const [inner] = this.#forks && signal !== 'SIGKILL' ? childrenOf(child.pid ?? 0) : []
    if (inner === undefined) return void child.kill(signal)
    try {
      process.kill(inner.pid, signal)
    } catch {
      // It has just ended by itself.
    }
  }

  async stop(timeoutMs: number): Promise<void> {
    this.#over.abort()
    clearTimeout(this.#restartTimer)
    this.#slow?.clear()
    this.#wake()
    const child = this.#child
    if (child === null) return
    const { app, logger } = this.#options
    this.#signal(child, timeoutMs > 0 ? this.#service?.stopSignal : 'SIGKILL')
    if (!(await settledWithin(this.#exited, timeoutMs))) {
      if (timeoutMs > 0) {
        logger.warn(`application ${app.name} did not end in time; killed`, { app: app.name })
      }
      killGroup(child)
      await this.#exited
    }
    await this.#service?.reach?.clear()
  }
}

/** Whether the service behind `socket` answers its question. */
function answers(socket: string, { question, isAnswer }: Service): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket)
    connection.setTimeout(PROBE_TIMEOUT_MS, () => connection.destroy())
    connection.on('connect', () => connection.write(question))
    connection.on('data', (bytes: Buffer) => {
      resolve(isAnswer(bytes))
      connection.destroy()
    })
    connection.on('error', () => {})
    connection.on('close', () => resolve(false))
  })
}
