/**
 * A generation: one plan being served, by one server process and the applications behind it. A reload
 * starts the next one beside it; both accept from the same sockets until this one has drained.
 */
import { join } from 'node:path'
import type { Runtime } from '../runtimes/runtime.ts'
import type { ServiceRuntime } from '../runtimes/service.ts'
import type { AppState, ServerStatus } from '../server/protocol.ts'
import { serviceSocket } from '../server/service-socket.ts'
import type { AppPlan, SitePlan } from '../site/plan.ts'
import { type Credentials, ordinaryUser } from '../system/users.ts'
import { AppInServer } from './app-in-server.ts'
import type { AppLifetime } from './app-lifetime.ts'
import { type AppFacts, AppProcess } from './app-process.ts'
import { LoadFailure } from './load-failure.ts'
import type { Logger } from './logger.ts'
import { ServerProcess } from './server-process.ts'
import { ServiceProcess } from './service-process.ts'
import type { Totals } from './status.ts'
import { delay, orAborted } from './timers.ts'

/** Workers get at least this long to exit after the server has drained, ms. */
const LEAST_WORKER_GRACE_MS = 1_000
/** Beyond an application's start timeout: until its workers have connected, ms. */
const CONNECT_TIMEOUT_MS = 10_000
const POLL_MS = 10
/** Connections that may wait for a service, whatever the number of its workers. */
const LEAST_BACKLOG = 511

/** The runtime of each kind of application: PHP's is a service of its own. */
export type Runtimes = {
  readonly [Kind in Exclude<AppPlan['kind'], 'php'>]?: Runtime
} & { readonly php?: ServiceRuntime }

export interface GenerationOptions {
  readonly number: number
  readonly plan: SitePlan
  readonly serverMain: string
  readonly runtimes: Runtimes
  readonly sockets: readonly (readonly number[])[]
  readonly linkDir: string
  readonly logSocket: string
  readonly credentials: Credentials | null
  readonly logger: Logger
}

export interface GenerationStatus {
  readonly server: ServerStatus | null
  readonly serverPid: number
  readonly serverRestarts: number
  readonly apps: Readonly<Record<string, AppFacts>>
}

export class Generation {
  readonly number: number
  readonly plan: SitePlan
  readonly #server: ServerProcess
  readonly #apps: ReadonlyMap<string, AppLifetime>
  #serving = false

  constructor(options: GenerationOptions) {
    const { plan, linkDir, logger, credentials } = options
    this.number = options.number
    this.plan = plan
    this.#server = new ServerProcess({
      main: options.serverMain,
      plan,
      generation: options.number,
      sockets: options.sockets,
      linkDir,
      credentials,
      logger,
      stuck: (report) => this.#apps.get(report.app)?.stuck(report),
      broken: (name, detail) => {
        const app = this.#apps.get(name)
        if (app instanceof AppInServer) app.broken(detail)
      },
    })
    this.#apps = new Map(
      Object.values(plan.apps).map((app) => [app.name, this.#createApp(app, options)]),
    )
  }

  #createApp(app: AppPlan, options: GenerationOptions): AppLifetime {
    const { plan, linkDir, logger, credentials, runtimes } = options
    const changed = (status: AppState): void => this.#server.app(app.name, status)
    const common = { app, dev: plan.dev, credentials, logger, changed }
    if (app.kind === 'php') {
      const socket = serviceSocket(linkDir, plan, app.name)
      return new ServiceProcess({
        ...common,
        runtime: runtimes.php!,
        watch: plan.watch,
        socket,
        folder: socket.replace(/\.sock$/, ''),
        backlog: Math.max(LEAST_BACKLOG, plan.threads * app.workers),
        becomes: credentials === null && process.getuid?.() === 0 ? ordinaryUser() : '',
      })
    }
    if (app.kind === 'node' && app.run === 'threads') return new AppInServer(app.name, logger)
    const links = Array.from({ length: plan.threads }, (_, i) => join(linkDir, `link-${i}.sock`))
    return new AppProcess({
      ...common,
      runtime: runtimes[app.kind]!,
      links,
      log: options.logSocket,
    })
  }

  /** Starts everything at once; resolves when visitors are accepted, whatever the applications do. */
  async start(): Promise<void> {
    const ready = this.#server.start()
    for (const app of this.#apps.values()) app.start()
    await ready
  }

  /**
   * Starts beside a generation that works: first the applications and, only when they are up, the
   * server, so that no visitor comes here to wait for an import. Rejects with the reason when an
   * application cannot be, unless `mayBreak` holds its name.
   */
  async startBeside(mayBreak: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    for (const app of this.#apps.values()) app.start()
    await this.mustLoad(mayBreak, signal)
    await orAborted(this.#server.start(), signal)
    this.#serving = true
    // Those that run in the server have been loaded only now.
    await this.mustLoad(mayBreak, signal)
    await Promise.all([...this.working].map((name) => this.#connected(name, signal)))
  }

  /** Resolves when every application has loaded or is in `mayBreak`; rejects with why one has not. */
  async mustLoad(mayBreak: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    await Promise.all(
      [...this.#apps].map(async ([name, app]) => {
        const status = await orAborted(app.settled(), signal)
        if (status.state !== 'broken' || mayBreak.has(name)) return
        throw new LoadFailure(name, status.detail)
      }),
    )
  }

  /** The applications that work now. */
  get working(): ReadonlySet<string> {
    const names = [...this.#apps].filter(([, app]) => app.status.state === 'running')
    return new Set(names.map(([name]) => name))
  }

  /** The applications that do not. */
  get broken(): ReadonlySet<string> {
    return new Set([...this.#apps.keys()].filter((name) => !this.working.has(name)))
  }

  /** Gives up a generation that was to take over: what it has accepted is still answered. */
  async giveUp(): Promise<void> {
    if (this.#serving) await this.drain(this.plan.timeouts.stopMs)
    else await this.kill()
  }

  async #connected(name: string, signal: AbortSignal): Promise<void> {
    if (this.#apps.get(name) instanceof AppInServer) return
    const wanted = this.plan.apps[name]?.workers ?? 0
    const deadline = performance.now() + CONNECT_TIMEOUT_MS
    while (performance.now() < deadline) {
      signal.throwIfAborted()
      if (this.#apps.get(name)?.isDyingYoung) {
        throw new Error(
          `application ${name}: its workers keep dying right after their start; see the log`,
        )
      }
      const status = await this.#server.status()
      const seen = status?.apps[name]?.workers
      if (seen === undefined || seen >= wanted) return
      await delay(POLL_MS, signal)
    }
    throw new Error(`the workers of application ${name} did not connect to the server; see the log`)
  }

  reopenLogs(): void {
    this.#server.reopenLogs()
  }

  async status(): Promise<GenerationStatus> {
    return {
      server: await this.#server.status(),
      serverPid: this.#server.pid,
      serverRestarts: this.#server.restarts,
      apps: Object.fromEntries([...this.#apps].map(([name, app]) => [name, app.facts])),
    }
  }

  /** What the server had counted when it was last asked. */
  get totals(): Totals {
    return this.#server.totals
  }

  /** Begins to drain; resolves when no visitor is accepted by this generation any more. */
  async stopAccepting(timeoutMs: number): Promise<void> {
    await this.#server.stopAccepting(timeoutMs)
  }

  /** Finishes what is in hand, within `timeoutMs` for the server and what is left of it for workers. */
  async drain(timeoutMs: number): Promise<void> {
    const startedAt = performance.now()
    await this.#server.drain(timeoutMs)
    const rest = timeoutMs - (performance.now() - startedAt)
    // The applications first: else a worker that ends because the server says so counts as dead.
    const stopped = this.#stopApps(Math.max(rest, LEAST_WORKER_GRACE_MS))
    await Promise.all([stopped, this.#server.end()])
  }

  /** At once: nothing survives. */
  async kill(): Promise<void> {
    await Promise.all([this.#server.kill(), this.#stopApps(0)])
  }

  async #stopApps(timeoutMs: number): Promise<void> {
    await Promise.all([...this.#apps.values()].map((app) => app.stop(timeoutMs)))
  }
}
