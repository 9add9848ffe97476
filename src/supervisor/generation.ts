/**
 * A generation: one plan being served, by one server process and the applications behind it. A reload
 * starts the next one beside it; both accept from the same sockets until this one has drained.
 */

import type { Order } from '../balance/cells.ts'
import type { Quarters } from '../isolation/quarters.ts'
import { settle } from '../isolation/settle.ts'
import { queuesOfNobody } from '../jobs/queues-of-nobody.ts'
import type { Role, Runtime } from '../runtimes/runtime.ts'
import type { ServiceRuntime } from '../runtimes/service.ts'
import type { AppState, RequestsInHand, ServerNumbers, ServerStatus } from '../server/protocol.ts'
import { serviceSocket } from '../server/service-socket.ts'
import { firstDeadline } from '../site/first-deadline.ts'
import { nearest } from '../site/nearest.ts'
import type { AppPlan, SitePlan } from '../site/plan.ts'
import { type Credentials, ordinaryUser } from '../system/users.ts'
import type { TlsSecrets } from '../tls/secrets.ts'
import { AppInServer } from './app-in-server.ts'
import type { AppLifetime } from './app-lifetime.ts'
import { type AppFacts, AppProcess } from './app-process.ts'
import type { ReloadHow } from './app-reload.ts'
import type { Closed } from './closed.ts'
import { LoadFailure } from './load-failure.ts'
import type { Logger } from './logger.ts'
import type { KeptRole, RoleEnd } from './roles.ts'
import type { RunDir } from './run-dir.ts'
import { type ServerOptions, ServerProcess } from './server-process.ts'
import { ServiceProcess } from './service-process.ts'
import type { Totals } from './status.ts'
import { delay, orAborted } from './timers.ts'

/** Workers get at least this long to exit after the server has drained, ms. */
const LEAST_WORKER_GRACE_MS = 1_000
/** A call without a bound of its own ends its application's patience after this, ms. */
const LONGEST_CALL_MS = 24 * 86_400_000
/** Beyond an application's start timeout: until its workers have connected, ms. */
const CONNECT_TIMEOUT_MS = 10_000
const POLL_MS = 10
/** Connections that may wait for a service, whatever the number of its workers. */
const LEAST_BACKLOG = 511

/** The runtime of each kind of application: PHP's and containers are services of their own. */
export type Runtimes = {
  readonly [Kind in Exclude<AppPlan['kind'], 'php' | 'container'>]?: Runtime
} & { readonly php?: ServiceRuntime; readonly container?: ServiceRuntime }

export interface GenerationOptions {
  readonly number: number
  readonly plan: SitePlan
  readonly serverMain: string
  readonly runtimes: Runtimes
  readonly sockets: readonly (readonly number[])[]
  readonly runDir: RunDir
  readonly credentials: Credentials | null
  readonly logger: Logger
  /** Certificates and keys that it begins with. */
  readonly tls: TlsSecrets
  /** Workers that an application has in the generation that this one is to follow; 0: none. */
  readonly before: (app: string) => number
  /** What is closed for maintenance when it begins. */
  readonly closed: Closed
  /** The text for visitors who ask for the metrics. */
  readonly metrics: () => Promise<string>
  /** What a CA is to be shown; never rejects. */
  readonly proof: ServerOptions['proof']
  /** What is known of servers of pools, and what has been found out about one. */
  readonly health: ServerOptions['health']
  readonly found: ServerOptions['found']
  /** What the code of an application declares, each time that it has loaded. */
  readonly declared: (app: string, told: unknown) => void
}

export interface GenerationStatus {
  readonly server: ServerStatus | null
  readonly serverPid: number
  readonly serverRestarts: number
  readonly apps: Readonly<Record<string, AppFacts>>
  /** Of its server process and those before it that died. */
  readonly numbers: ServerNumbers
}

export class Generation {
  readonly number: number
  readonly plan: SitePlan
  readonly #quarters: ReadonlyMap<string, Quarters>
  readonly #server: ServerProcess
  readonly #apps: ReadonlyMap<string, AppLifetime>
  /** Into the code of each application, those that go on. */
  readonly #calls = new Map<string, Set<Promise<RoleEnd>>>()
  readonly #jobWorkers: KeptRole[] = []
  #serving = false

  constructor(options: GenerationOptions) {
    const { plan, number, runDir, logger, credentials } = options
    const linkDir = runDir.createLinkDir(number)
    const settled = settle({ plan, generation: number, runDir, linkDir, credentials, logger })
    this.#quarters = settled.of
    this.number = number
    this.plan = plan
    this.#server = new ServerProcess({
      main: options.serverMain,
      plan,
      generation: options.number,
      sockets: options.sockets,
      linkDir,
      quarters: settled.inServer,
      credentials: settled.server,
      logger,
      tls: options.tls,
      closed: options.closed,
      metrics: options.metrics,
      health: options.health,
      found: options.found,
      proof: options.proof,
      stuck: (report) => this.#apps.get(report.app)?.stuck(report),
      slow: (report) => this.#apps.get(report.app)?.slow(report),
      heard: (news) => this.#apps.get(news.app)?.heard(news),
      broken: (name, detail) => {
        const app = this.#apps.get(name)
        if (app instanceof AppInServer) app.broken(detail)
      },
    })
    this.#apps = new Map(
      Object.values(plan.apps).map((app) => [app.name, this.#createApp(app, options, linkDir)]),
    )
  }

  #createApp(app: AppPlan, options: GenerationOptions, linkDir: string): AppLifetime {
    const { plan, logger, runtimes } = options
    const quarters = this.#quarters.get(app.name)!
    const { credentials } = quarters
    const changed = (status: AppState): void => this.#server.app(app.name, status)
    const common = { app, dev: plan.dev, quarters, logger, changed }
    if (app.kind === 'php' || app.kind === 'container') {
      const socket = serviceSocket(linkDir, plan, app.name, quarters.server)
      return new ServiceProcess({
        ...common,
        runtime: runtimes[app.kind]!,
        watch: plan.watch,
        slowMs: firstDeadline(plan, app),
        socket,
        backlog: Math.max(LEAST_BACKLOG, plan.threads * app.workers),
        becomes: credentials === null && process.getuid?.() === 0 ? ordinaryUser() : '',
      })
    }
    if (app.kind === 'node' && app.run === 'threads') return new AppInServer(app.name, logger)
    return new AppProcess({
      ...common,
      runtime: runtimes[app.kind]!,
      stopMs: plan.timeouts.stopMs,
      before: options.before(app.name),
      dismiss: (slot, pid) => this.#server.dismiss(app.name, slot, pid),
      declared: (told) => {
        for (const warning of queuesOfNobody(plan, app.name, told)) {
          logger.warn(warning, { app: app.name })
        }
        options.declared(app.name, told)
      },
    })
  }

  /** What is closed for maintenance from now on. */
  close(closed: Closed): void {
    this.#server.closeHosts(closed)
  }

  /** Throws, with the reason, where there is no such process. */
  keep(name: string, role: Role): KeptRole {
    return this.#app(name).keep(role)
  }

  /** A reload waits for it: see `drain`. */
  async call(name: string, role: Role, timeoutMs: number): Promise<RoleEnd> {
    const calls = this.#calls.get(name) ?? new Set()
    this.#calls.set(name, calls)
    const call = this.#app(name).once(role, timeoutMs)
    calls.add(call)
    return call.finally(() => calls.delete(call))
  }

  /** From now on its applications do jobs: it has taken over. */
  beginJobs(): void {
    const { stopMs } = this.plan.timeouts
    for (const app of Object.values(this.plan.apps)) {
      if (app.jobs === undefined) continue
      for (let i = 0; i < app.jobs.workers; i++) {
        this.#jobWorkers.push(this.keep(app.name, { kind: 'jobs', ...app.jobs, stopMs }))
      }
    }
  }

  /** The next generation does them: what is in hand has as long to finish as requests have. */
  endJobs(): void {
    for (const worker of this.#jobWorkers.splice(0)) void worker.stop(this.plan.timeouts.stopMs)
  }

  #app(name: string): AppLifetime {
    const app = this.#apps.get(name)
    if (app === undefined) {
      const meant = nearest(name, this.#apps.keys())
      const hint = meant === '' ? '' : `; did you mean ${meant}?`
      throw new Error(`there is no application ${name}${hint}`)
    }
    return app
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

  /** Rejects when all applications are known not to work. */
  async mustLoadOne(signal: AbortSignal): Promise<void> {
    const all = [...this.#apps.values()].map((app) => app.settled())
    await orAborted(Promise.all(all), signal)
    if (this.#apps.size > 0 && this.working.size === 0) {
      throw new Error('none of the applications loaded, see above, and `need-app` is set')
    }
  }

  /** Workers that an application is to have now; 0: there is none. */
  wanted(name: string): number {
    return this.#apps.get(name)?.wanted ?? 0
  }

  /** The applications that work now. */
  get working(): ReadonlySet<string> {
    const works = new Set<AppState['state']>(['running', 'asleep'])
    const names = [...this.#apps].filter(([, app]) => works.has(app.status.state))
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
    const app = this.#apps.get(name)
    if (app === undefined || app instanceof AppInServer) return
    const deadline = performance.now() + CONNECT_TIMEOUT_MS
    while (performance.now() < deadline) {
      signal.throwIfAborted()
      if (app.isDyingYoung) {
        throw new Error(
          `application ${name}: its workers keep dying right after their start; see the log`,
        )
      }
      const status = await this.#server.status(false)
      const seen = status?.apps[name]?.workers
      if (seen === undefined || seen >= app.wanted) return
      await delay(POLL_MS, signal)
    }
    throw new Error(`the workers of application ${name} did not connect to the server; see the log`)
  }

  /**
   * Loads one application anew, and has its new workers take over. Rejects with the reason when they
   * cannot, and everything goes on as it was.
   */
  reload(name: string, how: ReloadHow): Promise<void> {
    return this.#app(name).reload(how)
  }

  /** One worker more or less for each application. */
  adjust(by: 1 | -1): void {
    for (const app of this.#apps.values()) app.adjust(by)
  }

  /** Whether a server of a pool is to be asked. */
  order(pool: string, server: string, order: Order): Promise<void> {
    return this.#server.order(pool, server, order)
  }

  /** Certificates and keys for connections to come. */
  certify(tls: TlsSecrets): void {
    this.#server.certify(tls)
  }

  reopenLogs(): void {
    this.#server.reopenLogs()
  }

  /** Whether its server answers. */
  answers(): Promise<boolean> {
    return this.#server.answers()
  }

  async status(): Promise<GenerationStatus> {
    return {
      server: await this.#server.status(),
      serverPid: this.#server.pid,
      serverRestarts: this.#server.restarts,
      apps: Object.fromEntries([...this.#apps].map(([name, app]) => [name, app.facts])),
      numbers: this.#server.numbers,
    }
  }

  /** Takes over whose visitors are from the generation before, so that nobody is moved. */
  async inherit(before: Generation): Promise<void> {
    const persists = Object.values(this.plan.pools).some(
      ({ persistence }) => persistence !== undefined && persistence.by !== 'cookie',
    )
    const told = persists ? await before.#server.belongings() : null
    if (told !== null) this.#server.takeBelongings(told)
  }

  /** The oldest `most` requests in hand. */
  requests(most: number): Promise<RequestsInHand> {
    return this.#server.requests(most)
  }

  /** What the server had counted when it was last asked. */
  get totals(): Totals {
    return this.#server.totals
  }

  /** The site is being stopped: health checks are told so. */
  leave(): void {
    this.#server.leave()
  }

  /** Begins to drain; resolves when no visitor is accepted by this generation any more. */
  async stopAccepting(timeoutMs: number): Promise<void> {
    await this.#server.stopAccepting(timeoutMs)
  }

  /**
   * Finishes what is in hand, within `timeoutMs` for the server and what is left of it for workers. With
   * `waitsForCalls`, an application whose code is being called stays until that is over.
   */
  async drain(timeoutMs: number, waitsForCalls = false): Promise<void> {
    const startedAt = performance.now()
    await this.#server.drain(timeoutMs)
    // What it has counted goes with it.
    await this.#server.status()
    const rest = timeoutMs - (performance.now() - startedAt)
    // The applications first: else a worker that ends because the server says so counts as dead.
    const graceMs = Math.max(rest, LEAST_WORKER_GRACE_MS)
    const stopped = waitsForCalls ? this.#stopAfterCalls(graceMs) : this.#stopApps(graceMs)
    await Promise.all([stopped, this.#server.end()])
    this.#leave()
  }

  /** At once: nothing survives. */
  async kill(): Promise<void> {
    await Promise.all([this.#server.kill(), this.#stopApps(0)])
    this.#leave()
  }

  #leave(): void {
    for (const quarters of this.#quarters.values()) quarters.close()
  }

  async #stopAfterCalls(timeoutMs: number): Promise<void> {
    await Promise.all(
      [...this.#apps].map(async ([name, app]) => {
        const calls = [...(this.#calls.get(name) ?? [])]
        if (calls.length === 0) return app.stop(timeoutMs)
        // Its workers go at once; when the calls are over, what else is left has its time.
        const stopped = app.stop(LONGEST_CALL_MS)
        await Promise.allSettled(calls)
        await Promise.all([stopped, app.stop(timeoutMs)])
      }),
    )
  }

  async #stopApps(timeoutMs: number): Promise<void> {
    await Promise.all([...this.#apps.values()].map((app) => app.stop(timeoutMs)))
  }
}
