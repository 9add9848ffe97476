/**
 * One generation's server process: started with the listening sockets, restarted from the same ones
 * when it dies, drained when its successor has taken over.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { forServer } from '../acme/for-server.ts'
import type { Proof, ProofQuestion } from '../acme/proofs.ts'
import type { Order } from '../balance/cells.ts'
import type { HealthBefore, HealthReport } from '../balance/health-report.ts'
import type { AllBelongings } from '../persistence/hand-over.ts'
import type {
  AppNews,
  AppState,
  FromServer,
  QuartersInServer,
  RequestsInHand,
  ServerNumbers,
  ServerStatus,
  ToServer,
} from '../server/protocol.ts'
import type { SitePlan } from '../site/plan.ts'
import { addNumbers, endedNumbers, noNumbers } from '../stats/numbers.ts'
import { killSession } from '../system/session.ts'
import { type Credentials, launchAs } from '../system/users.ts'
import type { TlsSecrets } from '../tls/secrets.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'
import { afterWait, Backoff, CIRCUIT_DEATHS } from './backoff.ts'
import type { Closed } from './closed.ts'
import { compileCache } from './compile-cache.ts'
import { childEnvironment } from './environment.ts'
import type { Logger } from './logger.ts'
import { readPoolFiles } from './pool-files.ts'
import { Questions } from './questions.ts'
import type { SlowReport } from './slow-log.ts'
import { addTotals, ended, noTotals, type Totals } from './status.ts'
import { delay, settledWithin } from './timers.ts'

/** stdin, stdout, stderr, then the IPC channel: sockets begin after these. */
const FIRST_SOCKET = 4
/** From start to `ready`. Longer than any sound start; shorter than an operator's patience. */
const READY_TIMEOUT_MS = 30_000
/** A server that has not stopped accepting by then is not waited for. */
const CLOSE_TIMEOUT_MS = 1_000
/** After the drain's own bound. */
const DRAIN_GRACE_MS = 1_000
/** More than what the server gives its threads for their last words. */
const EXIT_GRACE_MS = 1_500
const ANSWER_TIMEOUT_MS = 1_000

/** Of the tables of whose visitors are: with one key all generations of this process understand each other. */
const BELONGINGS_KEY = randomBytes(8).toString('hex')

export interface ServerOptions {
  readonly main: string
  readonly plan: SitePlan
  readonly generation: number
  readonly sockets: readonly (readonly number[])[]
  readonly linkDir: string
  /** Descriptors in it are ours. */
  readonly quarters: Readonly<Record<string, QuartersInServer>>
  readonly credentials: Credentials | null
  readonly logger: Logger
  /** Certificates and keys to begin with. */
  readonly tls: TlsSecrets
  /** What is closed for maintenance when it begins. */
  readonly closed: Closed
  /** The text for visitors who ask for the metrics. */
  readonly metrics: () => Promise<string>
  /** What a CA is to be shown; never rejects. */
  readonly proof: (question: ProofQuestion) => Promise<Proof>
  /** What is known of servers of pools. */
  readonly health: (plan: SitePlan) => HealthBefore
  /** What has been found out about one. */
  readonly found: (report: HealthReport) => void
  /** A worker that exceeded its deadline. */
  readonly stuck: (report: Extract<FromServer, { type: 'stuck' }>) => void
  /** A request that runs longer than its soft deadline. */
  readonly slow: (report: SlowReport) => void
  /** What concerns the number of an application's workers. */
  readonly heard: (news: AppNews) => void
  /** An application that runs in the server's threads did not load. */
  readonly broken: (app: string, detail: string) => void
}

export class ServerProcess {
  readonly #options: ServerOptions
  readonly #backoff = new Backoff({ youngMs: 5_000, firstMs: 100, longestMs: 5_000 })
  readonly #apps = new Map<string, AppState>()
  readonly #statuses = new Questions<ServerStatus>(ANSWER_TIMEOUT_MS)
  readonly #requests = new Questions<RequestsInHand>(ANSWER_TIMEOUT_MS)
  readonly #belongings = new Questions<AllBelongings>(ANSWER_TIMEOUT_MS)
  readonly #dismissals = new Questions<true>(ANSWER_TIMEOUT_MS)
  readonly #orders = new Questions<true>(ANSWER_TIMEOUT_MS)
  readonly #over = new AbortController()
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #restarts = 0
  #last: ServerStatus | null = null
  #before: Totals = noTotals
  /** With numbers: from when they were last asked for. */
  #numbers: ServerNumbers = noNumbers
  #numbersBefore: ServerNumbers = noNumbers
  #closedHosts: Closed
  /** What a server that is started again gets. */
  #tls: TlsSecrets
  #accepts = true
  /** Read once: whatever becomes of the files, a server that died starts again as it was. */
  #poolFiles: Readonly<Record<string, PoolFiles>> | null = null
  /** Settles when visitors are not accepted any more. */
  readonly #closed: Promise<void>
  #close: () => void = () => {}
  /** Settles when nothing is in hand any more. */
  readonly #drained: Promise<void>
  #drainedNow: () => void = () => {}

  constructor(options: ServerOptions) {
    this.#options = options
    this.#tls = options.tls
    this.#closedHosts = options.closed
    this.#closed = new Promise((resolve) => {
      this.#close = resolve
    })
    this.#drained = new Promise((resolve) => {
      this.#drainedNow = resolve
    })
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get restarts(): number {
    return this.#restarts
  }

  /** Resolves when the server accepts visitors; rejects with the reason why it never will. */
  async start(): Promise<void> {
    const startedAt = performance.now()
    const child = this.#spawn()
    const exited = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(`cannot start the server process: ${error.message}`))
      child.once('exit', (code, signal) => resolve(`the server process died (${signal ?? code})`))
    })
    this.#exited = exited.then(() => {
      const all = [this.#statuses, this.#requests, this.#dismissals, this.#orders, this.#belongings]
      for (const questions of all) questions.giveUp()
    })
    const timeout = new AbortController()
    const reason = await Promise.race([
      new Promise<string>((resolve) => this.#listen(child, resolve)),
      exited,
      delay(READY_TIMEOUT_MS, timeout.signal).then(
        () => `the server process was not ready after ${READY_TIMEOUT_MS / 1000} s`,
        () => '',
      ),
    ])
    timeout.abort()
    if (reason !== '') {
      child.kill('SIGKILL')
      throw new Error(reason)
    }
    exited.then((death) => this.#died(child, death, startedAt))
  }

  #spawn(): ChildProcess {
    const { main, plan, generation, linkDir, credentials } = this.#options
    this.#poolFiles ??= readPoolFiles(plan, (line) => this.#options.logger.warn(line))
    removeSockets(linkDir)
    // Threads that share a socket get a descriptor each: one that closes its own leaves the others theirs.
    const sockets = this.#options.sockets.map((group) =>
      group.length === 1 ? new Array<number>(plan.threads).fill(group[0]!) : group,
    )
    const guests = Object.entries(this.#options.quarters)
    const links = guests.flatMap(([, guest]) => guest.links)
    const launch = launchAs(credentials, process.execPath, [
      '--disable-sigusr1',
      // An expression of a site that takes too long for a path goes on in an engine that is linear.
      '--enable-experimental-regexp-engine-on-excessive-backtracks',
      main,
    ])
    const child = spawn(launch.file, launch.args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...sockets.flat(), ...links],
      env: { ...childEnvironment(process.env, credentials), ...compileCache() },
      // Its own process group: Ctrl-C on a terminal reaches the supervisor alone, which then drains.
      detached: true,
      uid: launch.uid,
      gid: launch.gid,
    })
    const { pid } = child
    // What it ran for visitors (CGI) ends with it, however it ended.
    if (pid !== undefined) child.once('exit', () => killSession(pid))
    this.#child = child
    let next = FIRST_SOCKET
    const inherited = sockets.map((group) => group.map(() => next++))
    const quarters = Object.fromEntries(
      guests.map(([name, guest]) => [name, { ...guest, links: guest.links.map(() => next++) }]),
    )
    const poolFiles = this.#poolFiles
    this.#send({
      type: 'start',
      plan: forServer(plan),
      generation,
      sockets: inherited,
      quarters,
      poolFiles,
      belongingsKey: BELONGINGS_KEY,
      health: this.#options.health(plan),
      tls: this.#tls,
      linkDir,
      closed: this.#closedHosts,
    })
    for (const [app, status] of this.#apps) this.#send({ type: 'app', app, status })
    return child
  }

  /** `settled` gets '' at `ready`, or why the server gave up. */
  #listen(child: ChildProcess, settled: (reason: string) => void): void {
    const { logger, metrics, stuck, slow, heard, broken } = this.#options
    child.on('message', (raw) => {
      const message = raw as FromServer
      switch (message.type) {
        case 'ready':
          return settled('')
        case 'failed':
          return settled(message.message)
        case 'stuck':
          return stuck(message)
        case 'slow':
          return slow(message)
        case 'ordered':
          return this.#orders.answered(message.ask, true)
        case 'health':
          return this.#options.found(message)
        case 'dismissed':
          return this.#dismissals.answered(message.ask, true)
        case 'joined':
        case 'spent':
        case 'load':
        case 'wanted':
          return heard(message)
        case 'broken':
          return broken(message.app, message.detail)
        case 'status':
          this.#last = message.status
          this.#numbers = message.status.numbers ?? this.#numbers
          return this.#statuses.answered(message.ask, message.status)
        case 'requests':
          return this.#requests.answered(message.ask, message.requests)
        case 'belongings':
          return this.#belongings.answered(message.ask, message.told)
        case 'metrics':
          return void metrics().then(
            (text) => this.#send({ type: 'metrics', text }),
            // Whoever waits for it is told so in time.
            () => {},
          )
        case 'proof': {
          const { thread, ask } = message
          return void this.#options
            .proof(message)
            .then((proof) => this.#send({ type: 'proof', thread, ask, proof }))
        }
        case 'log':
          return logger[message.level](message.message)
        case 'draining':
          return this.#close()
        case 'drained':
          return this.#drainedNow()
      }
    })
  }

  async #died(child: ChildProcess, reason: string, startedAt: number): Promise<void> {
    if (this.#child !== child || this.#over.signal.aborted) return
    const { logger } = this.#options
    const wait = this.#backoff.died(performance.now() - startedAt)
    this.#restarts += 1
    this.#before = ended(this.totals)
    this.#numbersBefore = endedNumbers(this.numbers)
    this.#numbers = noNumbers
    this.#last = null
    logger.error(
      `${reason}; starting it again ${afterWait(wait)}. Visitors wait in the accept queue`,
    )
    if (this.#backoff.deaths === CIRCUIT_DEATHS) {
      logger.error('the server process keeps dying right after its start; see the lines above')
    }
    try {
      await delay(wait, this.#over.signal)
      const startedAgainAt = performance.now()
      await this.start().catch((error: Error) =>
        this.#over.signal.aborted
          ? undefined
          : this.#died(this.#child ?? child, error.message, startedAgainAt),
      )
    } catch {
      // Draining or stopping began while waiting: nothing to start any more.
    }
  }

  /** What is closed for maintenance; a restarted server is told again. */
  closeHosts(closed: Closed): void {
    this.#closedHosts = closed
    this.#send({ type: 'closed', closed })
  }

  /** Tells the server how an application is; a restarted server is told again. */
  app(name: string, status: AppState): void {
    this.#apps.set(name, status)
    this.#send({ type: 'app', app: name, status })
  }

  /** No request goes to that worker any more: resolves when every thread has let go of it. */
  async dismiss(app: string, slot: number, pid: number): Promise<void> {
    await this.#dismissals.ask((ask) => this.#send({ type: 'dismiss', ask, app, slot, pid }))
  }

  /**
   * Whether a server of a pool is to be asked: resolves when every thread knows. A restarted server process
   * hears it from `health`.
   */
  async order(pool: string, server: string, order: Order): Promise<void> {
    await this.#orders.ask((ask) => this.#send({ type: 'order', ask, pool, server, order }))
  }

  /** Certificates and keys for connections to come. */
  certify(tls: TlsSecrets): void {
    this.#tls = tls
    this.#send({ type: 'certificates', tls })
  }

  reopenLogs(): void {
    this.#send({ type: 'reopen-logs' })
  }

  /** What it and its predecessors that died had counted when they were last asked. */
  get totals(): Totals {
    return this.#last === null ? this.#before : addTotals(this.#before, this.#last)
  }

  /** The same of applications and routes. */
  get numbers(): ServerNumbers {
    return addNumbers(this.#numbersBefore, this.#numbers)
  }

  /** Whose the visitors of its pools are; null where it does not answer in time. */
  belongings(): Promise<AllBelongings | null> {
    return this.#belongings.ask((ask) => this.#send({ type: 'tell-belongings', ask }))
  }

  takeBelongings(told: AllBelongings): void {
    this.#send({ type: 'take-belongings', told })
  }

  /** The oldest `most` requests in hand; none when the server does not answer in time. */
  async requests(most: number): Promise<RequestsInHand> {
    const told = await this.#requests.ask((ask) => this.#send({ type: 'requests', ask, most }))
    return told ?? { total: 0, requests: [] }
  }

  /**
   * Fresh facts, or the last ones known when the server does not answer in time; `numbers` are then
   * fresh as well, unless they are not wanted.
   */
  async status(detailed = true): Promise<ServerStatus | null> {
    await this.#statuses.ask((ask) => this.#send({ type: 'status', ask, detailed }))
    return this.#last
  }

  /** Whether it lives and says so in time. */
  async answers(): Promise<boolean> {
    const before = this.#last
    return (await this.status(false)) !== before
  }

  /** The site is being stopped: health checks are told so. */
  leave(): void {
    this.#send({ type: 'leave' })
  }

  /** Begins to drain; resolves when no visitor is accepted any more. */
  async stopAccepting(timeoutMs: number): Promise<void> {
    if (this.#accepts) {
      this.#accepts = false
      this.#over.abort()
      this.#send({ type: 'drain', timeoutMs })
    }
    await settledWithin(Promise.race([this.#closed, this.#exited]), CLOSE_TIMEOUT_MS)
  }

  /** Resolves when nothing is in hand any more; then the process waits for `end`. */
  async drain(timeoutMs: number): Promise<void> {
    await this.stopAccepting(timeoutMs)
    const over = Promise.race([this.#drained, this.#exited])
    if (!(await settledWithin(over, timeoutMs + DRAIN_GRACE_MS))) await this.#cut()
  }

  /** Has the process end, and tell the workers to. */
  async end(): Promise<void> {
    this.#send({ type: 'end' })
    if (!(await settledWithin(this.#exited, EXIT_GRACE_MS))) await this.#cut()
  }

  async #cut(): Promise<void> {
    this.#options.logger.warn(`the server process did not end in time; killed`, { pid: this.pid })
    await this.kill()
  }

  async kill(): Promise<void> {
    this.#over.abort()
    this.#child?.kill('SIGKILL')
    await this.#exited
  }

  /** False: a process that is dying takes no messages; its exit says all there is to say. */
  #send(message: ToServer): boolean {
    if (this.#child === null || !this.#child.connected) return false
    this.#child.send(message, () => {})
    return true
  }
}

/** What a predecessor that died has left would make the next one's bind fail. */
function removeSockets(folder: string): void {
  for (const name of readdirSync(folder)) {
    // The other sockets here are services', which live on.
    if (name.startsWith('link-')) unlinkSync(join(folder, name))
  }
}
