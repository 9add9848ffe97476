/**
 * The supervisor: owns the sockets and every lifetime. Signals, the admin socket and the file watch
 * only put commands into the inbox; one loop (`#obey`) acts on them.
 *
 *     starting ──► ready ◄──► reloading ──► stopping
 */

import { isDeepStrictEqual } from 'node:util'
import { Background } from '../background/background.ts'
import { enqueue } from '../background/enqueue.ts'
import { frontOf } from '../background/front.ts'
import type { Order } from '../balance/cells.ts'
import { activatedSockets } from '../listen/activated.ts'
import { ListeningSockets, type PreparedSockets } from '../listen/sockets.ts'
import { BOUNDS_MS } from '../request/histogram.ts'
import type { SignalSet, SitePlan } from '../site/plan.ts'
import { addNumbers } from '../stats/numbers.ts'
import { renderMetrics } from '../stats/openmetrics.ts'
import { Outputs } from '../stats/outputs.ts'
import { raiseFileLimit } from '../system/limits.ts'
import { type ServiceManager, serviceManager } from '../system/sd-notify.ts'
import { type Credentials, findCredentials, losesGroups } from '../system/users.ts'
import { TlsKeeper } from '../tls/keeper.ts'
import type { TlsSecrets } from '../tls/secrets.ts'
import { type AdminSocket, openAdmin } from './admin.ts'
import { Automatic } from './automatic.ts'
import { type Closed, type ClosedResult, changeClosed } from './closed.ts'
import { COMMONS_VARIABLE, type CommonsProcess, openCommons } from './commons-process.ts'
import { type Fifo, openFifo } from './fifo.ts'
import { figures } from './figures.ts'
import { Generation, type GenerationStatus, type Runtimes } from './generation.ts'
import { type Meaning, SIGNALS } from './guise.ts'
import { History } from './history.ts'
import { Inbox } from './inbox.ts'
import { briefly } from './load-failure.ts'
import { type LogSocket, openLogSocket } from './log-socket.ts'
import type { Logger } from './logger.ts'
import { refuseLivePidFile, removePidFile, writePidFile } from './pid-file.ts'
import { type Ordered, PoolHealth } from './pool-health.ts'
import { PoolHooks } from './pool-hooks.ts'
import { addSums, type RestartSums } from './restarts.ts'
import { createRunDir, type RunDir } from './run-dir.ts'
import type { LoadSite, Site } from './site.ts'
import {
  addTotals,
  appStatuses,
  type OneApp,
  type Phase,
  type ReloadResult,
  type RequestsStatus,
  type SiteStatus,
} from './status.ts'
import { delay, orAborted, settledWithin } from './timers.ts'
import { type TouchWatch, watchTouch } from './touch.ts'
import { type Listening, listening, urlsOf } from './urls.ts'
import { type Watcher, watchSite } from './watch.ts'

/** How often a draining generation's counters are read, so that none is lost with its process, ms. */
const DRAIN_POLL_MS = 1_000

export interface SupervisorOptions {
  readonly load: LoadSite
  readonly logger: Logger
  readonly runtimes: Runtimes
  /** The program of the server process. */
  readonly serverMain: string
  readonly version: string
}

type Command =
  | {
      readonly type: 'reload'
      readonly why: string
      /** Null: the whole site. */
      readonly only: OneApp | null
      done(result: ReloadResult): void
    }
  | {
      readonly type: 'maintain'
      readonly on: boolean
      readonly host: string
      done(result: ClosedResult): void
    }
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'stop'; readonly why: string }
  | { readonly type: 'rolling'; readonly why: string }
  | { readonly type: 'resize'; readonly by: 1 | -1 }
  | { readonly type: 'tell' }
  | { readonly type: 'refuse'; readonly what: string; readonly sentence: string }

type ReloadCommand = Extract<Command, { type: 'reload' }>

/** Serves until told to stop. Resolves with the process's exit code; rejects when it cannot start. */
export function supervise(options: SupervisorOptions): Promise<number> {
  return new Supervisor(options).run()
}

class Supervisor {
  readonly #options: SupervisorOptions
  readonly #logger: Logger
  readonly #inbox = new Inbox<Command>()
  readonly #sockets = new ListeningSockets(activatedSockets(process.env, process.pid))
  readonly #manager: ServiceManager = serviceManager(process.env, () => this.#isAlive())
  readonly #startedAt = performance.now()
  /** Aborted by the first request to stop: whatever is being started is given up. */
  readonly #stopRequested = new AbortController()
  /** Aborted by the second: nothing is waited for any more. */
  readonly #hurry = new AbortController()
  readonly #draining = new Map<Generation, Promise<void>>()
  readonly #reloads = { succeeded: 0, failed: 0 }
  #lastReload: SiteStatus['lastReload'] = null
  /** Whatever is reloaded, it stays closed. */
  #closed: Closed = []
  #phase: Phase = 'starting'
  #generations = 0
  #current: Generation | null = null
  #site: Site | null = null
  #listening: readonly Listening[] = []
  #credentials: Credentials | null = null
  #runDir: RunDir | null = null
  #commons: CommonsProcess | null = null
  #logSocket: LogSocket | null = null
  #admin: AdminSocket | null = null
  #pidFile = ''
  #signals: SignalSet = 'portico'
  readonly #fifos: Fifo[] = []
  #watcher: Watcher | null = null
  #touch: TouchWatch | null = null
  /** Counts of generations that have ended. */
  #past = new History()
  /** Where figures are told beside the admin socket. */
  readonly #outputs: Outputs
  readonly #background: Background
  readonly #tls: TlsKeeper
  readonly #hooks: PoolHooks
  readonly #poolHealth: PoolHealth
  readonly #automatic: Automatic

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#logger = options.logger
    this.#tls = new TlsKeeper(options.logger, (secrets) => this.#current?.certify(secrets))
    this.#outputs = new Outputs(options.logger, {
      status: () => this.#status(),
      requests: (most) => this.#requests(most),
    })
    this.#automatic = new Automatic(options.logger, (certificates) =>
      this.#tls.supply('acme', certificates),
    )
    this.#hooks = new PoolHooks(options.logger, () => this.#credentials)
    this.#poolHealth = new PoolHealth(options.logger, this.#hooks)
    this.#background = new Background({
      logger: options.logger,
      keep: (app, role) => this.#serving.keep(app, role),
      site: () => ({
        credentials: this.#credentials,
        front: frontOf(this.#listening, this.#site?.plan.listeners ?? []),
        call: (app, role, timeoutMs) => this.#serving.call(app, role, timeoutMs),
        reload: async (why, app) => {
          if (this.#stopRequested.signal.aborted) return { ok: false, how: 'stopping' }
          const { ok, message } = await this.#askReload(why, app === '' ? null : { app })
          return { ok, how: ok ? 'reloaded' : message }
        },
        enqueue: (order) => enqueue(this.#runDir?.commonsSocket ?? '', order),
        signal: (name) => this.#background.signal(name),
      }),
    })
  }

  get #serving(): Generation {
    if (this.#current === null) throw new Error('nothing is being served yet')
    return this.#current
  }

  async run(): Promise<number> {
    const release = this.#catchSignals()
    try {
      await this.#start()
      await this.#obey()
      return 0
    } catch (error) {
      if (this.#stopRequested.signal.aborted) return 0
      throw error
    } finally {
      await this.#end()
      release()
    }
  }

  async #start(): Promise<void> {
    const site = await this.#options.load()
    const { plan } = site
    this.#site = site
    for (const warning of site.warnings) this.#logger.warn(warning)
    for (const note of site.notes ?? []) this.#logger.info(note)
    this.#credentials = this.#chooseCredentials(plan)
    this.#checkFileLimit(plan)
    if (plan.pidFile !== '') refuseLivePidFile(plan.pidFile)
    this.#listenTo(plan)
    this.#admin = openAdmin(plan.admin, {
      status: () => this.#status(),
      requests: (most) => this.#requests(most),
      reload: (only) => this.#askReload('asked by the admin socket', only),
      stop: () => this.#askStop('asked by the admin socket'),
      maintain: (on, host) =>
        new Promise((done) => this.#inbox.put({ type: 'maintain', on, host, done })),
      runTask: (name) => this.#background.run(name),
      order: (pool, server, order) => this.#orderServer(pool, server, order),
      renew: (name) => this.#automatic.renew(name),
    })
    const prepared = await this.#sockets.prepare(plan.listeners, plan.threads)
    prepared.commit()
    this.#warnOfUnused()
    this.#listening = listening(plan, prepared.addresses)
    this.#runDir = createRunDir(this.#credentials)
    await this.#openCommons(plan, this.#runDir.commonsSocket)
    await this.#startDaemons(plan)
    await this.#automatic.prepare(plan)
    const secrets = this.#tls.load(plan)
    const generation = this.#createGeneration(plan, prepared, this.#runDir, secrets)
    this.#current = generation
    this.#poolHealth.serve(generation.number, plan)
    const started = orAborted(generation.start(), this.#stopRequested.signal)
    // Handled here when the log socket fails first; awaited below when it does not.
    started.catch(() => {})
    this.#logSocket = await openLogSocket(
      this.#runDir.logSocket,
      this.#credentials,
      this.#background.listener,
    )
    await started
    // Nothing but this application was asked for: without it there is nothing to serve.
    if (plan.file === '' && !plan.watch) {
      await generation.mustLoad(new Set(), this.#stopRequested.signal)
    }
    if (plan.needApp === true) await generation.mustLoadOne(this.#stopRequested.signal)
    if (plan.pidFile !== '') writePidFile(plan.pidFile)
    this.#pidFile = plan.pidFile
    this.#tls.use(plan, secrets)
    void this.#background.commit(plan, generation.number)
    await this.#automatic.commit(plan)
    generation.beginJobs()
    this.#becomeReady(site)
  }

  /** The loop. Returns when it is told to stop. */
  async #obey(): Promise<void> {
    for (;;) {
      const command = await this.#inbox.next()
      switch (command.type) {
        case 'reload':
          await this.#reloadAll(command)
          break
        case 'reopen-logs':
          this.#current?.reopenLogs()
          for (const generation of this.#draining.keys()) generation.reopenLogs()
          this.#logger.info('log files opened anew')
          break
        case 'maintain':
          command.done(this.#maintain(command.on, command.host))
          break
        case 'rolling':
          await this.#roll(command.why)
          break
        case 'resize':
          this.#current?.adjust(command.by)
          break
        case 'tell':
          for (const line of figures(await this.#status())) this.#logger.info(line)
          break
        case 'refuse':
          this.#logger.warn(`${command.what}: ${command.sentence}`)
          break
        case 'stop':
          return this.#stop(command.why)
      }
    }
  }

  #maintain(on: boolean, host: string): ClosedResult {
    const hosts = this.#site?.plan.hosts.map(({ name }) => name) ?? []
    const result = changeClosed(this.#closed, on, host, hosts)
    if (result.ok) {
      this.#closed = result.closed
      for (const one of [this.#current, ...this.#draining.keys()]) one?.close(result.closed)
      const what = host === '' ? 'the site' : host
      this.#logger.info(on ? `${what} is closed for maintenance` : `${what} is open again`)
    }
    return result
  }

  #catchSignals(): () => void {
    for (const signal of Object.keys(SIGNALS.portico)) process.on(signal, this.#heardSignal)
    return () => {
      for (const signal of Object.keys(SIGNALS.portico)) process.off(signal, this.#heardSignal)
      for (const signal of Object.keys(SIGNALS[this.#signals]))
        process.off(signal, this.#heardSignal)
    }
  }

  readonly #heardSignal = (signal: string): void => {
    const meaning = SIGNALS[this.#signals][signal]
    if (meaning !== undefined) this.#order(meaning, `signal ${signal.replace('SIG', '')}`)
  }

  /** From now on signals mean what the site says; and letters in its pipes. */
  #listenTo(plan: SitePlan): void {
    this.#signals = plan.signals
    for (const signal of Object.keys(SIGNALS[plan.signals])) {
      if (SIGNALS.portico[signal] === undefined) process.on(signal, this.#heardSignal)
    }
    for (const path of plan.fifo) {
      const heard = (meaning: Meaning, letter: string): void =>
        this.#order(meaning, `${letter} in ${path}`)
      this.#fifos.push(openFifo(path, heard, this.#logger))
    }
  }

  #order({ order, sentence }: Meaning, why: string): void {
    switch (order) {
      case 'reload':
        return void this.#askReload(why)
      case 'stop':
        return this.#askStop(why)
      case 'stop-now':
        this.#askStop(why)
        return this.#hurry.abort(new Error('in a hurry'))
      case 'more':
      case 'fewer':
        return this.#inbox.put({ type: 'resize', by: order === 'more' ? 1 : -1 })
      case 'refuse':
        return this.#inbox.put({ type: 'refuse', what: why, sentence })
      case 'rolling':
        return this.#inbox.put({ type: 'rolling', why })
      default:
        this.#inbox.put({ type: order })
    }
  }

  #askReload(why: string, only: OneApp | null = null): Promise<ReloadResult> {
    return new Promise((done) => this.#inbox.put({ type: 'reload', why, only, done }))
  }

  #askStop(why: string): void {
    if (this.#stopRequested.signal.aborted) return this.#hurry.abort(new Error('in a hurry'))
    this.#stopRequested.abort(new Error('stopping'))
    this.#inbox.put({ type: 'stop', why })
  }

  // Starting

  #chooseCredentials(plan: SitePlan): Credentials | null {
    if (process.getuid?.() !== 0) {
      if (plan.user !== '') this.#logger.warn('`user:` has no effect: not started as root')
      return null
    }
    if (plan.user === '') {
      this.#logger.warn('running as root: set `user:` so that server and applications do not')
      return null
    }
    const credentials = findCredentials(plan.user, plan.group)
    if (losesGroups(credentials)) {
      this.#logger.warn(
        `${plan.user} runs without its supplementary groups: setpriv (util-linux) is missing`,
      )
    }
    return credentials
  }

  #warnOfUnused(): void {
    for (const address of this.#sockets.unused) {
      this.#logger.warn(
        `the service manager holds ${address}, where this site does not listen: visitors there wait in vain; take it out of the socket unit, or into \`listen:\``,
      )
    }
  }

  /** For a service manager's watchdog: a server that does not answer is as good as none. */
  async #isAlive(): Promise<boolean> {
    if (this.#phase === 'starting' || this.#phase === 'stopping') return true
    return (await this.#current?.answers()) ?? true
  }

  #checkFileLimit(plan: SitePlan): void {
    const limit = raiseFileLimit()
    // A visitor's connection may need a second descriptor: a backend's or a file's.
    const wanted = plan.limits.connections * 2
    if (limit >= wanted) return
    this.#logger.warn(
      `at most ${limit} files can be open, ${wanted} may be needed: raise it (ulimit -n, LimitNOFILE=) or lower limits.connections`,
    )
  }

  /** Whatever is started from now on knows where it is. */
  async #openCommons(plan: SitePlan, path: string): Promise<void> {
    this.#commons = await openCommons(
      plan.commons,
      plan.jobs,
      path,
      this.#credentials,
      this.#logger,
    )
    this.#commons.signalled = (name) => this.#background.signal(name)
    process.env[COMMONS_VARIABLE] = path
  }

  /** A site that lacks one serves what it can. */
  async #startDaemons(plan: SitePlan): Promise<void> {
    const ready = this.#background.prepare(plan, this.#credentials)
    await orAborted(ready, this.#stopRequested.signal).catch((error: Error) => {
      this.#stopRequested.signal.throwIfAborted()
      this.#logger.error(error.message)
    })
  }

  #createGeneration(
    plan: SitePlan,
    prepared: PreparedSockets,
    runDir: RunDir,
    tls: TlsSecrets,
  ): Generation {
    const number = ++this.#generations
    return new Generation({
      number,
      plan,
      serverMain: this.#options.serverMain,
      runtimes: this.#options.runtimes,
      sockets: prepared.sockets,
      runDir,
      credentials: this.#credentials,
      logger: this.#logger,
      tls,
      before: (app) => this.#current?.wanted(app) ?? 0,
      metrics: async () => renderMetrics(await this.#status()),
      health: () => this.#poolHealth.before(number, plan),
      found: (report) => this.#poolHealth.found(number, report, plan),
      proof: (question) => this.#automatic.proof(question),
      closed: this.#closed,
      declared: (app, told) => this.#background.declare(number, app, told),
    })
  }

  #becomeReady(site: Site): void {
    const urls = urlsOf(this.#listening)
    this.#phase = 'ready'
    this.#outputs.use(site.plan.stats)
    this.#manager.ready(`Serving ${urls.join(' ')}`)
    this.#logger.info(`serving ${site.description}`, {
      urls: urls.join(' '),
      generation: this.#generations,
      admin: site.plan.admin,
    })
    const changed = (path: string): void => void this.#askReload(`${path} changed`)
    // What changed while this site was being loaded is told: it may have read what was there before.
    if (site.plan.watch) {
      this.#watcher = watchSite(site.plan, this.#logger, changed, this.#watcher)
    }
    this.#touch?.close()
    this.#touch = watchTouch(site.plan, (path, only) => {
      void this.#askReload(`${path} was touched`, only)
    })
  }

  /** At once, also while a reload takes its time; resolves when every thread knows. */
  async #orderServer(pool: string, server: string, order: Order): Promise<Ordered> {
    const { plan } = this.#serving
    const done = this.#poolHealth.order(plan, pool, server, order)
    if (done.server === '') return done
    const all = [this.#serving, ...this.#draining.keys()]
    await Promise.all(all.map((one) => one.order(pool, done.server, order)))
    return done
  }

  // Reloading

  /** One reload answers all of its kind that were asked for until now; the site's answers every other. */
  async #reloadAll(first: ReloadCommand): Promise<void> {
    const isReload = (other: Command): other is ReloadCommand => other.type === 'reload'
    const all = [first, ...this.#inbox.takeAll(isReload)]
    const whole = all.find(({ only }) => only === null)
    if (whole !== undefined) return this.#reload(whole, all)
    for (const name of new Set(all.map(({ only }) => only?.app ?? ''))) {
      await this.#reloadApp(all.filter(({ only }) => only?.app === name))
    }
  }

  /** The same application, asked for once or several times. */
  async #reloadApp(all: readonly ReloadCommand[]): Promise<void> {
    const [{ why, only }] = all as [ReloadCommand, ...ReloadCommand[]]
    const { app = '', rolling } = only ?? {}
    const { signal } = this.#stopRequested
    this.#logger.info(`reloading application ${app}: ${why}`, { app })
    const usual = this.#site?.plan.apps[app]?.reload?.rolling === true
    const reloaded = async (): Promise<void> =>
      this.#serving.reload(app, { rolling: rolling ?? usual, signal })
    const failure = await reloaded().then(
      () => null,
      (error: Error) => error,
    )
    if (failure === null) this.#logger.info(`application ${app} is reloaded`, { app })
    else {
      this.#logger.error(
        `application ${app} was not reloaded, the site serves as before: ${briefly(failure)}`,
        { app },
      )
    }
    this.#noteReload(all, failure, app)
  }

  #noteReload(all: readonly ReloadCommand[], failure: Error | null, app = ''): void {
    const ok = failure === null
    const generation = this.#current?.number ?? 0
    const whole = { ok, message: failure?.message ?? '', generation }
    const result = app === '' ? whole : { ...whole, app }
    this.#reloads[ok ? 'succeeded' : 'failed'] += 1
    this.#lastReload = { ...result, at: new Date().toISOString() }
    for (const { done } of all) done(result)
  }

  async #reload(command: ReloadCommand, all: readonly ReloadCommand[]): Promise<void> {
    this.#logger.info(`reloading: ${command.why}`)
    this.#phase = 'reloading'
    this.#manager.reloading()
    const failure = await this.#replaceGeneration().then(
      () => null,
      (error: Error) => error,
    )
    if (failure !== null && this.#stopRequested.signal.aborted) {
      this.#logger.info('the reload is given up: the site is to stop')
    } else if (failure !== null) {
      this.#phase = 'ready'
      this.#logger.error(`not reloaded, the site keeps serving as before: ${briefly(failure)}`)
      this.#manager.ready('Serving as before; the last reload failed')
    }
    this.#noteReload(all, failure)
  }

  /** Throws, with everything as it was, when the new plan cannot take over. */
  async #replaceGeneration(): Promise<void> {
    const [old, runDir] = [this.#current, this.#runDir]
    if (old === null || runDir === null) throw new Error('nothing is being served yet')
    const site = await this.#options.load()
    const secrets = this.#tls.load(site.plan)
    const prepared = await this.#sockets.prepare(site.plan.listeners, site.plan.threads)
    const next = this.#createGeneration(site.plan, prepared, runDir, secrets)
    try {
      const { signal } = this.#stopRequested
      await orAborted(this.#background.prepare(site.plan, this.#credentials), signal)
      await orAborted(this.#automatic.prepare(site.plan), signal)
      await next.startBeside(old.broken, signal)
    } catch (error) {
      await orAborted(next.giveUp(), this.#hurry.signal).catch(() => next.kill())
      await this.#background.abandon(next.number)
      await this.#automatic.abandon(old.plan)
      runDir.removeLinkDir(next.number)
      prepared.abort()
      throw error
    }
    await next.inherit(old)
    prepared.commit()
    this.#listening = listening(site.plan, prepared.addresses)
    this.#current = next
    for (const [pool, server, order] of this.#poolHealth.serve(next.number, site.plan)) {
      void next.order(pool, server, order)
    }
    await old.status()
    // Whoever hears that the new site serves must not meet the old one.
    await old.stopAccepting(old.plan.timeouts.stopMs)
    for (const warning of site.warnings) this.#logger.warn(warning)
    this.#warnOfRestart(old.plan, site.plan)
    this.#site = site
    this.#tls.use(site.plan, secrets)
    void this.#background.commit(site.plan, next.number)
    await this.#automatic.commit(site.plan)
    this.#commons?.change(site.plan.jobs)
    old.endJobs()
    next.beginJobs()
    this.#becomeReady(site)
    this.#draining.set(old, this.#drain(old, runDir))
  }

  /** Every application anew, one worker after the other; the site file is not read. */
  async #roll(why: string): Promise<void> {
    const generation = this.#current
    if (generation === null) return
    this.#logger.info(`reloading the applications one worker at a time: ${why}`)
    const how = { rolling: true, signal: this.#stopRequested.signal }
    for (const name of Object.keys(generation.plan.apps)) {
      await generation.reload(name, how).catch((error: Error) => {
        this.#logger.error(`application ${name} goes on as it was: ${briefly(error)}`)
      })
    }
  }

  #warnOfRestart(before: SitePlan, after: SitePlan): void {
    for (const key of ['admin', 'pidFile', 'user', 'group', 'signals', 'state'] as const) {
      if (before[key] !== after[key]) this.#logger.warn(`${key}: takes effect after a restart`)
    }
    if (!isDeepStrictEqual(before.commons, after.commons)) {
      this.#logger.warn('cache: takes effect after a restart')
    }
    for (const key of ['engine', 'size'] as const) {
      if (before.jobs[key] === after.jobs[key]) continue
      this.#logger.warn(`jobs.${key}: takes effect after a restart`)
    }
  }

  async #drain(old: Generation, runDir: RunDir): Promise<void> {
    const poll = setInterval(() => void old.status(), DRAIN_POLL_MS)
    await old.drain(old.plan.timeouts.stopMs, true)
    clearInterval(poll)
    const over = await old.status()
    const now = await this.#current?.status()
    this.#past = this.#past.with(over, old.totals, now)
    this.#draining.delete(old)
    runDir.removeLinkDir(old.number)
    this.#logger.info(`generation ${old.number} has finished`)
  }

  // Stopping

  async #stop(why: string): Promise<void> {
    this.#phase = 'stopping'
    this.#manager.stopping()
    this.#logger.info(`stopping: ${why}`)
    const current = this.#current
    await this.#announce(current)
    // Whoever comes now is refused at once instead of waiting for nobody.
    this.#sockets.close()
    const stopMs = current?.plan.timeouts.stopMs ?? 0
    const finished = Promise.all([
      current?.drain(stopMs),
      // One that waits for a call into its code may take any time.
      settledWithin(Promise.all(this.#draining.values()), stopMs),
      this.#background.finish(stopMs),
    ])
    await orAborted(finished, this.#hurry.signal).catch(() => {
      this.#logger.warn('stopping at once')
    })
  }

  /** Gives load balancers the time to see that they should send nobody any more. */
  async #announce(current: Generation | null): Promise<void> {
    current?.leave()
    const ms = current?.plan.timeouts.leaveMs ?? 0
    if (ms > 0) await delay(ms, this.#hurry.signal).catch(() => {})
  }

  /** Nothing of ours is left afterwards: no process, no socket, no file. */
  async #end(): Promise<void> {
    this.#watcher?.close()
    this.#touch?.close()
    this.#tls.close()
    const living = [this.#current, ...this.#draining.keys()].filter((one) => one !== null)
    await Promise.all(living.map((generation) => generation.kill()))
    await this.#automatic.close()
    await this.#hooks.close()
    await this.#background.end(this.#hurry.signal)
    for (const command of this.#inbox.takeAll((item) => item.type === 'reload')) {
      if (command.type === 'reload') {
        this.#noteReload([command], new Error('stopping'))
      }
    }
    for (const command of this.#inbox.takeAll((item) => item.type === 'maintain')) {
      if (command.type !== 'maintain') continue
      command.done({ ok: false, message: 'stopping', closed: this.#closed })
    }
    this.#logSocket?.close()
    await this.#commons?.stop()
    this.#sockets.close()
    this.#admin?.close()
    for (const fifo of this.#fifos) fifo.close()
    this.#outputs.close()
    this.#runDir?.remove()
    if (this.#pidFile !== '') removePidFile(this.#pidFile)
    this.#manager.close()
  }

  // Telling

  async #status(): Promise<SiteStatus> {
    const generations = [this.#current, ...this.#draining.keys()].filter((one) => one !== null)
    const past = this.#past
    const asked = this.#commons?.status() ?? null
    const all = await Promise.all(generations.map((generation) => generation.status()))
    const commons = await asked
    const [current] = all
    const totals = generations.map((one) => one.totals).reduce(addTotals, past.totals)
    const numbers = all.map((one) => one.numbers).reduce(addNumbers, past.numbers)
    return {
      version: this.#options.version,
      pid: process.pid,
      phase: this.#phase,
      site: this.#site?.description ?? '',
      urls: urlsOf(this.#listening),
      commonsSocket: this.#runDir?.commonsSocket ?? '',
      generation: this.#current?.number ?? 0,
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      reloads: { ...this.#reloads },
      ...(this.#closed.length === 0 ? {} : { closed: this.#closed }),
      lastReload: this.#lastReload,
      server: {
        pid: current?.serverPid ?? 0,
        restarts: current?.serverRestarts ?? 0,
        threads: current?.server?.threads ?? 0,
      },
      draining: [...this.#draining.keys()].map((generation) => generation.number),
      totals,
      apps:
        current === undefined || this.#current === null
          ? {}
          : appStatuses(current, numbers, restartsBeside(all, past), this.#current.plan),
      pools: current?.server?.pools ?? {},
      poolCounts: current?.server?.poolCounts ?? {},
      routes: numbers.routes,
      streams: numbers.streams ?? [],
      background: this.#background.status,
      automatic: this.#automatic.status,
      ...(this.#site?.plan.tls === undefined ? {} : { certificates: this.#tls.served }),
      commons,
      boundsMs: BOUNDS_MS,
    }
  }

  async #requests(most: number): Promise<RequestsStatus> {
    const generations = [this.#current, ...this.#draining.keys()].filter((one) => one !== null)
    const all = await Promise.all(
      generations.map(async (one) => ({ ...(await one.requests(most)), generation: one.number })),
    )
    const requests = all.flatMap(({ requests, generation }) =>
      requests.map((request) => ({ ...request, generation })),
    )
    return {
      total: all.reduce((sum, { total }) => sum + total, 0),
      requests: requests.sort((a, b) => b.ageMs - a.ageMs).slice(0, most),
    }
  }
}

/** Restarts of an application in all generations but the first of `living`. */
function restartsBeside(
  [, ...draining]: readonly GenerationStatus[],
  past: History,
): (app: string) => RestartSums {
  return (name) =>
    draining
      .flatMap(({ apps }) => apps[name] ?? [])
      .reduce<RestartSums>(addSums, past.restartsOf(name))
}
