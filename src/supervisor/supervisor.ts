/**
 * The supervisor: owns the sockets and every lifetime. Signals, the admin socket and the file watch
 * only put commands into the inbox; one loop (`#obey`) acts on them.
 *
 *     starting ──► ready ◄──► reloading ──► stopping
 */
import { ListeningSockets, type PreparedSockets } from '../listen/sockets.ts'
import type { CommonsPlan, SitePlan } from '../site/plan.ts'
import { raiseFileLimit } from '../system/limits.ts'
import { type ServiceManager, serviceManager } from '../system/sd-notify.ts'
import { type Credentials, findCredentials, losesGroups } from '../system/users.ts'
import { type AdminSocket, openAdmin } from './admin.ts'
import { COMMONS_VARIABLE, type CommonsProcess, openCommons } from './commons-process.ts'
import { Generation, type Runtimes } from './generation.ts'
import { Inbox } from './inbox.ts'
import { briefly } from './load-failure.ts'
import { type LogSocket, openLogSocket } from './log-socket.ts'
import type { Logger } from './logger.ts'
import { refuseLivePidFile, removePidFile, writePidFile } from './pid-file.ts'
import { createRunDir, type RunDir } from './run-dir.ts'
import type { LoadSite, Site } from './site.ts'
import {
  addTotals,
  appStatuses,
  ended,
  noTotals,
  type Phase,
  type ReloadResult,
  type SiteStatus,
  type Totals,
} from './status.ts'
import { orAborted } from './timers.ts'
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
  | { readonly type: 'reload'; readonly why: string; done(result: ReloadResult): void }
  | { readonly type: 'reopen-logs' }
  | { readonly type: 'stop'; readonly why: string }

/** Serves until told to stop. Resolves with the process's exit code; rejects when it cannot start. */
export function supervise(options: SupervisorOptions): Promise<number> {
  return new Supervisor(options).run()
}

class Supervisor {
  readonly #options: SupervisorOptions
  readonly #logger: Logger
  readonly #inbox = new Inbox<Command>()
  readonly #sockets = new ListeningSockets()
  readonly #manager: ServiceManager = serviceManager(process.env)
  readonly #startedAt = performance.now()
  /** Aborted by the first request to stop: whatever is being started is given up. */
  readonly #stopRequested = new AbortController()
  /** Aborted by the second: nothing is waited for any more. */
  readonly #hurry = new AbortController()
  readonly #draining = new Map<Generation, Promise<void>>()
  readonly #reloads = { succeeded: 0, failed: 0 }
  #lastReload: SiteStatus['lastReload'] = null
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
  #watcher: Watcher | null = null
  /** Counters of generations that have ended. */
  #past: Totals = noTotals

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#logger = options.logger
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
    this.#credentials = this.#chooseCredentials(plan)
    this.#checkFileLimit(plan)
    if (plan.pidFile !== '') refuseLivePidFile(plan.pidFile)
    this.#admin = openAdmin(plan.admin, {
      status: () => this.#status(),
      reload: () => this.#askReload('asked by the admin socket'),
      stop: () => this.#askStop('asked by the admin socket'),
    })
    const prepared = await this.#sockets.prepare(plan.listeners, plan.threads)
    prepared.commit()
    this.#listening = listening(plan, prepared.addresses)
    this.#runDir = createRunDir(this.#credentials)
    await this.#openCommons(plan.commons, this.#runDir.commonsSocket)
    const generation = this.#createGeneration(plan, prepared, this.#runDir)
    this.#current = generation
    const started = orAborted(generation.start(), this.#stopRequested.signal)
    // Handled here when the log socket fails first; awaited below when it does not.
    started.catch(() => {})
    this.#logSocket = await openLogSocket(this.#runDir.logSocket, this.#credentials, this.#logger)
    await started
    // Nothing but this application was asked for: without it there is nothing to serve.
    if (plan.file === '' && !plan.watch) {
      await generation.mustLoad(new Set(), this.#stopRequested.signal)
    }
    if (plan.pidFile !== '') writePidFile(plan.pidFile)
    this.#pidFile = plan.pidFile
    this.#becomeReady(site)
  }

  /** The loop. Returns when it is told to stop. */
  async #obey(): Promise<void> {
    for (;;) {
      const command = await this.#inbox.next()
      switch (command.type) {
        case 'reload':
          await this.#reload(command)
          break
        case 'reopen-logs':
          this.#current?.reopenLogs()
          for (const generation of this.#draining.keys()) generation.reopenLogs()
          this.#logger.info('log files opened anew')
          break
        case 'stop':
          return this.#stop(command.why)
      }
    }
  }

  #catchSignals(): () => void {
    const handlers: Readonly<Record<string, () => void>> = {
      SIGHUP: () => void this.#askReload('signal HUP'),
      SIGUSR1: () => this.#inbox.put({ type: 'reopen-logs' }),
      SIGTERM: () => this.#askStop('signal TERM'),
      SIGINT: () => this.#askStop('signal INT'),
      SIGQUIT: () => this.#askStop('signal QUIT'),
    }
    for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler)
    return () => {
      for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler)
    }
  }

  #askReload(why: string): Promise<ReloadResult> {
    return new Promise((done) => this.#inbox.put({ type: 'reload', why, done }))
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
  async #openCommons(plan: CommonsPlan, path: string): Promise<void> {
    this.#commons = await openCommons(plan, path, this.#credentials, this.#logger)
    process.env[COMMONS_VARIABLE] = path
  }

  #createGeneration(plan: SitePlan, prepared: PreparedSockets, runDir: RunDir): Generation {
    const number = ++this.#generations
    return new Generation({
      number,
      plan,
      serverMain: this.#options.serverMain,
      runtimes: this.#options.runtimes,
      sockets: prepared.sockets,
      linkDir: runDir.createLinkDir(number),
      logSocket: runDir.logSocket,
      credentials: this.#credentials,
      logger: this.#logger,
    })
  }

  #becomeReady(site: Site): void {
    const urls = urlsOf(this.#listening)
    this.#phase = 'ready'
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
  }

  // Reloading

  /** One reload answers all that were asked for until now. */
  async #reload(command: Extract<Command, { type: 'reload' }>): Promise<void> {
    const isReload = (other: Command): other is typeof command => other.type === 'reload'
    const all = [command, ...this.#inbox.takeAll(isReload)]
    this.#logger.info(`reloading: ${command.why}`)
    this.#phase = 'reloading'
    this.#manager.reloading()
    const failure = await this.#replaceGeneration().then(
      () => null,
      (error: Error) => error,
    )
    const ok = failure === null
    const result = { ok, message: failure?.message ?? '', generation: this.#current?.number ?? 0 }
    this.#reloads[ok ? 'succeeded' : 'failed'] += 1
    this.#lastReload = { ...result, at: new Date().toISOString() }
    if (failure !== null) {
      this.#phase = 'ready'
      this.#logger.error(`not reloaded, the site keeps serving as before: ${briefly(failure)}`)
      this.#manager.ready('Serving as before; the last reload failed')
    }
    for (const { done } of all) done(result)
  }

  /** Throws, with everything as it was, when the new plan cannot take over. */
  async #replaceGeneration(): Promise<void> {
    const [old, runDir] = [this.#current, this.#runDir]
    if (old === null || runDir === null) throw new Error('nothing is being served yet')
    const site = await this.#options.load()
    const prepared = await this.#sockets.prepare(site.plan.listeners, site.plan.threads)
    const next = this.#createGeneration(site.plan, prepared, runDir)
    try {
      await next.startBeside(old.broken, this.#stopRequested.signal)
    } catch (error) {
      await orAborted(next.giveUp(), this.#hurry.signal).catch(() => next.kill())
      runDir.removeLinkDir(next.number)
      prepared.abort()
      throw error
    }
    prepared.commit()
    this.#listening = listening(site.plan, prepared.addresses)
    this.#current = next
    await old.status()
    // Whoever hears that the new site serves must not meet the old one.
    await old.stopAccepting(old.plan.timeouts.stopMs)
    for (const warning of site.warnings) this.#logger.warn(warning)
    this.#warnOfRestart(old.plan, site.plan)
    this.#site = site
    this.#becomeReady(site)
    this.#draining.set(old, this.#drain(old, runDir))
  }

  #warnOfRestart(before: SitePlan, after: SitePlan): void {
    for (const key of ['admin', 'pidFile', 'user', 'group'] as const) {
      if (before[key] !== after[key]) this.#logger.warn(`${key}: takes effect after a restart`)
    }
  }

  async #drain(old: Generation, runDir: RunDir): Promise<void> {
    const poll = setInterval(() => void old.status(), DRAIN_POLL_MS)
    await old.drain(old.plan.timeouts.stopMs)
    clearInterval(poll)
    this.#past = addTotals(this.#past, ended(old.totals))
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
    // Whoever comes now is refused at once instead of waiting for nobody.
    this.#sockets.close()
    const finished = Promise.all([
      current?.drain(current.plan.timeouts.stopMs),
      ...this.#draining.values(),
    ])
    await orAborted(finished, this.#hurry.signal).catch(() => {
      this.#logger.warn('stopping at once')
    })
  }

  /** Nothing of ours is left afterwards: no process, no socket, no file. */
  async #end(): Promise<void> {
    this.#watcher?.close()
    const living = [this.#current, ...this.#draining.keys()].filter((one) => one !== null)
    await Promise.all(living.map((generation) => generation.kill()))
    for (const command of this.#inbox.takeAll((item) => item.type === 'reload')) {
      if (command.type === 'reload') {
        command.done({ ok: false, message: 'stopping', generation: this.#current?.number ?? 0 })
      }
    }
    this.#logSocket?.close()
    await this.#commons?.stop()
    this.#sockets.close()
    this.#admin?.close()
    this.#runDir?.remove()
    if (this.#pidFile !== '') removePidFile(this.#pidFile)
    this.#manager.close()
  }

  // Telling

  async #status(): Promise<SiteStatus> {
    const generations = [this.#current, ...this.#draining.keys()].filter((one) => one !== null)
    const all = await Promise.all(generations.map((generation) => generation.status()))
    const [current] = all
    const totals = generations.map((one) => one.totals).reduce(addTotals, this.#past)
    return {
      version: this.#options.version,
      pid: process.pid,
      phase: this.#phase,
      site: this.#site?.description ?? '',
      urls: urlsOf(this.#listening),
      generation: this.#current?.number ?? 0,
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      reloads: { ...this.#reloads },
      lastReload: this.#lastReload,
      server: {
        pid: current?.serverPid ?? 0,
        restarts: current?.serverRestarts ?? 0,
        threads: current?.server?.threads ?? 0,
      },
      draining: [...this.#draining.keys()].map((generation) => generation.number),
      totals,
      apps: current === undefined ? {} : appStatuses(current),
    }
  }
}
