/**
 * The supervisor: owns the sockets and every lifetime. Signals, the admin socket and the file watch
 * only put commands in (commands.ts); one loop (`#obey`) acts on them.
 *
 *     starting ──► ready ◄──► reloading ──► stopping
 */
import { Background } from '../background/background.ts'
import { enqueue } from '../background/enqueue.ts'
import { frontOf } from '../background/front.ts'
import type { Order } from '../balance/cells.ts'
import { activatedSockets } from '../listen/activated.ts'
import { ListeningSockets, type PreparedSockets } from '../listen/sockets.ts'
import { BOUNDS_MS } from '../request/histogram.ts'
import type { SitePlan } from '../site/plan.ts'
import { renderMetrics } from '../stats/openmetrics.ts'
import { Outputs } from '../stats/outputs.ts'
import { raiseFileLimit } from '../system/limits.ts'
import { type ServiceManager, serviceManager } from '../system/sd-notify.ts'
import type { Credentials } from '../system/users.ts'
import { TlsKeeper } from '../tls/keeper.ts'
import type { TlsSecrets } from '../tls/secrets.ts'
import { type AdminSocket, openAdmin } from './admin.ts'
import { chooseCredentials } from './as-whom.ts'
import { Automatic } from './automatic.ts'
import { type Closed, type ClosedResult, changeClosed } from './closed.ts'
import { Commands } from './commands.ts'
import { COMMONS_VARIABLE, type CommonsProcess, openCommons } from './commons-process.ts'
import { figures } from './figures.ts'
import { Generation, type Runtimes } from './generation.ts'
import { Generations } from './generations.ts'
import { briefly } from './load-failure.ts'
import { type LogSocket, openLogSocket } from './log-socket.ts'
import type { Logger } from './logger.ts'
import { refuseLivePidFile, removePidFile, writePidFile } from './pid-file.ts'
import { type Ordered, PoolHealth } from './pool-health.ts'
import { PoolHooks } from './pool-hooks.ts'
import { Reloads } from './reloads.ts'
import { createRunDir, type RunDir } from './run-dir.ts'
import { Signals } from './signals.ts'
import type { LoadSite, Site } from './site.ts'
import type { Phase, SiteStatus } from './status.ts'
import { delay, orAborted, settledWithin } from './timers.ts'
import { type TouchWatch, watchTouch } from './touch.ts'
import { type Listening, listening, urlsOf } from './urls.ts'
import { needsRestart, tooFewFiles, unusedSockets } from './warnings.ts'
import { type Watcher, watchSite } from './watch.ts'

export interface SupervisorOptions {
  readonly load: LoadSite
  readonly logger: Logger
  readonly runtimes: Runtimes
  /** The program of the server process. */
  readonly serverMain: string
  readonly version: string
}

/** Serves until told to stop. Resolves with the process's exit code; rejects when it cannot start. */
export function supervise(options: SupervisorOptions): Promise<number> {
  return new Supervisor(options).run()
}

class Supervisor {
  readonly #options: SupervisorOptions
  readonly #logger: Logger
  readonly #commands = new Commands()
  readonly #generations: Generations
  readonly #reloads: Reloads
  readonly #sockets = new ListeningSockets(activatedSockets(process.env, process.pid))
  readonly #manager: ServiceManager = serviceManager(process.env, () => this.#isAlive())
  readonly #startedAt = performance.now()
  /** Whatever is reloaded, it stays closed. */
  #closed: Closed = []
  #phase: Phase = 'starting'
  /** The number of the generation that was made last. */
  #made = 0
  #site: Site | null = null
  #listening: readonly Listening[] = []
  #credentials: Credentials | null = null
  #runDir: RunDir | null = null
  #commons: CommonsProcess | null = null
  #logSocket: LogSocket | null = null
  #admin: AdminSocket | null = null
  #pidFile = ''
  #watcher: Watcher | null = null
  #touch: TouchWatch | null = null
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
    this.#generations = new Generations(options.logger)
    this.#reloads = new Reloads(options.logger, this.#commands, this.#generations)
    this.#tls = new TlsKeeper(options.logger, (secrets) =>
      this.#generations.current?.certify(secrets),
    )
    this.#outputs = new Outputs(options.logger, {
      status: () => this.#status(),
      requests: (most) => this.#generations.requests(most),
    })
    this.#automatic = new Automatic(options.logger, (certificates) =>
      this.#tls.supply('acme', certificates),
    )
    this.#hooks = new PoolHooks(options.logger, () => this.#credentials)
    this.#poolHealth = new PoolHealth(options.logger, this.#hooks)
    this.#background = new Background({
      logger: options.logger,
      keep: (app, role) => this.#generations.serving.keep(app, role),
      site: () => ({
        credentials: this.#credentials,
        front: frontOf(this.#listening, this.#site?.plan.listeners ?? []),
        call: (app, role, timeoutMs) => this.#generations.serving.call(app, role, timeoutMs),
        reload: async (why, app) => {
          if (this.#commands.stopRequested.aborted) return { ok: false, how: 'stopping' }
          const { ok, message } = await this.#commands.reload(why, app === '' ? null : { app })
          return { ok, how: ok ? 'reloaded' : message }
        },
        enqueue: (order) => enqueue(this.#runDir?.commonsSocket ?? '', order),
        signal: (name) => this.#background.signal(name),
      }),
    })
  }

  async run(): Promise<number> {
    const signals = new Signals(this.#commands)
    try {
      await this.#start(signals)
      await this.#obey()
      return 0
    } catch (error) {
      if (this.#commands.stopRequested.aborted) return 0
      throw error
    } finally {
      await this.#end()
      signals.close()
    }
  }

  async #start(signals: Signals): Promise<void> {
    const site = await this.#options.load()
    const { plan } = site
    this.#site = site
    this.#warn(site.warnings)
    for (const note of site.notes ?? []) this.#logger.info(note)
    this.#credentials = chooseCredentials(plan, this.#logger)
    this.#warn(tooFewFiles(plan, raiseFileLimit()))
    if (plan.pidFile !== '') refuseLivePidFile(plan.pidFile)
    signals.listenTo(plan, this.#logger)
    this.#admin = openAdmin(plan.admin, {
      status: () => this.#status(),
      requests: (most) => this.#generations.requests(most),
      reload: (only) => this.#commands.reload('asked by the admin socket', only),
      stop: () => this.#commands.stop('asked by the admin socket'),
      maintain: (on, host) => this.#commands.maintain(on, host),
      runTask: (name) => this.#background.run(name),
      order: (pool, server, order) => this.#orderServer(pool, server, order),
      renew: (name) => this.#automatic.renew(name),
    })
    const prepared = await this.#sockets.prepare(plan.listeners, plan.threads)
    prepared.commit()
    this.#warn(unusedSockets(this.#sockets.unused))
    this.#listening = listening(plan, prepared.addresses)
    this.#runDir = createRunDir(this.#credentials)
    await this.#openCommons(plan, this.#runDir.commonsSocket)
    await this.#startDaemons(plan)
    await this.#automatic.prepare(plan)
    const secrets = this.#tls.load(plan)
    const generation = this.#createGeneration(plan, prepared, this.#runDir, secrets)
    this.#generations.serve(generation)
    this.#poolHealth.serve(generation.number, plan)
    const started = orAborted(generation.start(), this.#commands.stopRequested)
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
      await generation.mustLoad(new Set(), this.#commands.stopRequested)
    }
    if (plan.needApp === true) await generation.mustLoadOne(this.#commands.stopRequested)
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
      const command = await this.#commands.next()
      switch (command.type) {
        case 'reload':
          await this.#reloads.obey(command, (why) => this.#reload(why))
          break
        case 'reopen-logs':
          for (const generation of this.#generations.living) generation.reopenLogs()
          this.#logger.info('log files opened anew')
          break
        case 'maintain':
          command.done(this.#maintain(command.on, command.host))
          break
        case 'rolling':
          await this.#reloads.roll(command.why)
          break
        case 'resize':
          this.#generations.current?.adjust(command.by)
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
      for (const one of this.#generations.living) one.close(result.closed)
      const what = host === '' ? 'the site' : host
      this.#logger.info(on ? `${what} is closed for maintenance` : `${what} is open again`)
    }
    return result
  }

  // Starting

  /** For a service manager's watchdog: a server that does not answer is as good as none. */
  async #isAlive(): Promise<boolean> {
    if (this.#phase === 'starting' || this.#phase === 'stopping') return true
    return (await this.#generations.current?.answers()) ?? true
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
    await orAborted(ready, this.#commands.stopRequested).catch((error: Error) => {
      this.#commands.stopRequested.throwIfAborted()
      this.#logger.error(error.message)
    })
  }

  #createGeneration(
    plan: SitePlan,
    prepared: PreparedSockets,
    runDir: RunDir,
    tls: TlsSecrets,
  ): Generation {
    const number = ++this.#made
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
      before: (app) => this.#generations.current?.wanted(app) ?? 0,
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
      generation: this.#made,
      admin: site.plan.admin,
    })
    const changed = (path: string): void => void this.#commands.reload(`${path} changed`)
    // What changed while this site was being loaded is told: it may have read what was there before.
    if (site.plan.watch) {
      this.#watcher = watchSite(site.plan, this.#logger, changed, this.#watcher)
    }
    this.#touch?.close()
    this.#touch = watchTouch(site.plan, (path, only) => {
      void this.#commands.reload(`${path} was touched`, only)
    })
  }

  /** At once, also while a reload takes its time; resolves when every thread knows. */
  async #orderServer(pool: string, server: string, order: Order): Promise<Ordered> {
    const { plan } = this.#generations.serving
    const done = this.#poolHealth.order(plan, pool, server, order)
    if (done.server === '') return done
    await Promise.all(this.#generations.living.map((one) => one.order(pool, done.server, order)))
    return done
  }

  // Reloading

  /** Resolves with why the site serves as before; null where the new one does. */
  async #reload(why: string): Promise<Error | null> {
    this.#logger.info(`reloading: ${why}`)
    this.#phase = 'reloading'
    this.#manager.reloading()
    const failure = await this.#replaceGeneration().then(
      () => null,
      (error: Error) => error,
    )
    if (failure !== null && this.#commands.stopRequested.aborted) {
      this.#logger.info('the reload is given up: the site is to stop')
    } else if (failure !== null) {
      this.#phase = 'ready'
      this.#logger.error(`not reloaded, the site keeps serving as before: ${briefly(failure)}`)
      this.#manager.ready('Serving as before; the last reload failed')
    }
    return failure
  }

  /** Throws, with everything as it was, when the new plan cannot take over. */
  async #replaceGeneration(): Promise<void> {
    const [old, runDir] = [this.#generations.current, this.#runDir]
    if (old === null || runDir === null) throw new Error('nothing is being served yet')
    const site = await this.#options.load()
    const secrets = this.#tls.load(site.plan)
    const prepared = await this.#sockets.prepare(site.plan.listeners, site.plan.threads)
    const next = this.#createGeneration(site.plan, prepared, runDir, secrets)
    try {
      const signal = this.#commands.stopRequested
      await orAborted(this.#background.prepare(site.plan, this.#credentials), signal)
      await orAborted(this.#automatic.prepare(site.plan), signal)
      await next.startBeside(old.broken, signal)
    } catch (error) {
      await orAborted(next.giveUp(), this.#commands.hurry).catch(() => next.kill())
      await this.#background.abandon(next.number)
      await this.#automatic.abandon(old.plan)
      runDir.removeLinkDir(next.number)
      prepared.abort()
      throw error
    }
    await next.inherit(old)
    prepared.commit()
    this.#listening = listening(site.plan, prepared.addresses)
    this.#generations.serve(next)
    for (const [pool, server, order] of this.#poolHealth.serve(next.number, site.plan)) {
      void next.order(pool, server, order)
    }
    await old.status()
    // Whoever hears that the new site serves must not meet the old one.
    await old.stopAccepting(old.plan.timeouts.stopMs)
    this.#warn(site.warnings)
    this.#warn(needsRestart(old.plan, site.plan))
    this.#site = site
    this.#tls.use(site.plan, secrets)
    void this.#background.commit(site.plan, next.number)
    await this.#automatic.commit(site.plan)
    this.#commons?.change(site.plan.jobs)
    old.endJobs()
    next.beginJobs()
    this.#becomeReady(site)
    this.#generations.drain(old, runDir)
  }

  // Stopping

  async #stop(why: string): Promise<void> {
    this.#phase = 'stopping'
    this.#manager.stopping()
    this.#logger.info(`stopping: ${why}`)
    const { current } = this.#generations
    await this.#announce(current)
    // Whoever comes now is refused at once instead of waiting for nobody.
    this.#sockets.close()
    const stopMs = current?.plan.timeouts.stopMs ?? 0
    const finished = Promise.all([
      current?.drain(stopMs),
      // One that waits for a call into its code may take any time.
      settledWithin(this.#generations.drained(), stopMs),
      this.#background.finish(stopMs),
    ])
    await orAborted(finished, this.#commands.hurry).catch(() => {
      this.#logger.warn('stopping at once')
    })
  }

  /** Gives load balancers the time to see that they should send nobody any more. */
  async #announce(current: Generation | null): Promise<void> {
    current?.leave()
    const ms = current?.plan.timeouts.leaveMs ?? 0
    if (ms > 0) await delay(ms, this.#commands.hurry).catch(() => {})
  }

  /** Nothing of ours is left afterwards: no process, no socket, no file. */
  async #end(): Promise<void> {
    this.#watcher?.close()
    this.#touch?.close()
    this.#tls.close()
    await this.#generations.kill()
    await this.#automatic.close()
    await this.#hooks.close()
    await this.#background.end(this.#commands.hurry)
    this.#reloads.refuseRest()
    for (const { done } of this.#commands.takeMaintains()) {
      done({ ok: false, message: 'stopping', closed: this.#closed })
    }
    this.#logSocket?.close()
    await this.#commons?.stop()
    this.#sockets.close()
    this.#admin?.close()
    this.#outputs.close()
    this.#runDir?.remove()
    if (this.#pidFile !== '') removePidFile(this.#pidFile)
    this.#manager.close()
  }

  // Telling

  async #status(): Promise<SiteStatus> {
    const asked = this.#commons?.status() ?? null
    const { current, totals, numbers, apps } = await this.#generations.status()
    const commons = await asked
    return {
      version: this.#options.version,
      pid: process.pid,
      phase: this.#phase,
      site: this.#site?.description ?? '',
      urls: urlsOf(this.#listening),
      commonsSocket: this.#runDir?.commonsSocket ?? '',
      generation: this.#generations.current?.number ?? 0,
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      reloads: this.#reloads.counts,
      ...(this.#closed.length === 0 ? {} : { closed: this.#closed }),
      lastReload: this.#reloads.last,
      server: {
        pid: current?.serverPid ?? 0,
        restarts: current?.serverRestarts ?? 0,
        threads: current?.server?.threads ?? 0,
      },
      draining: this.#generations.draining,
      totals,
      apps,
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

  #warn(lines: readonly string[]): void {
    for (const line of lines) this.#logger.warn(line)
  }
}
