/**
 * The commons: a process of ours with what the applications of a site share. The supervisor holds its
 * listening sockets, so that clients wait, and lose nothing but time, while there is no process.
 *
 *     asleep ──first connection, start()──► running ──┐ died: anew with the next connection,
 *        ▲                                     │      │ after a back-off
 *        └─────────────────────────────────────┴──────┘
 *
 * It outlives generations; what it holds ends with it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, closeSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { CommonsStatus, FromCommons, Speaks, ToCommons } from '../commons/protocol.ts'
import { showAddress } from '../listen/address.ts'
import { openSockets, openUnix, removeSocketFile } from '../listen/open.ts'
import { hasRunners, type JobsPlan } from '../site/jobs-plan.ts'
import type { Address, CommonsPlan } from '../site/plan.ts'
import { duplicate } from '../system/libc.ts'
import { type Credentials, findCredentials, launchAs, ordinaryUser } from '../system/users.ts'
import { Backoff, CIRCUIT_DEATHS } from './backoff.ts'
import { compileCache } from './compile-cache.ts'
import { childEnvironment } from './environment.ts'
import { isReachable, prepareJobsFolder } from './jobs-folder.ts'
import type { Logger } from './logger.ts'
import { Questions } from './questions.ts'
import { delay, settledWithin } from './timers.ts'

/** stdin, stdout, stderr, then the IPC channel: sockets begin after these. */
const FIRST_SOCKET = 4
const YOUNG_MS = 5_000
const BACKLOG = 1024
const STATUS_TIMEOUT_MS = 1_000
const EXIT_GRACE_MS = 1_000
/** V8's heap beside what is kept: the collector needs room to move things to. */
const HEAP_FACTOR = 1.5
const HEAP_MORE_MB = 96
/** Of the part where everything begins: V8's usual 16 take 100 MB more memory, and no less time. */
const YOUNG_MB = 8

/** What applications find it by. */
export const COMMONS_VARIABLE = 'PORTICO_COMMONS'
const MAIN = fileURLToPath(new URL('../commons/main.ts', import.meta.url))

interface CommonsOptions {
  readonly plan: CommonsPlan
  readonly jobs: JobsPlan
  readonly held: readonly Held[]
  readonly credentials: Credentials | null
  readonly logger: Logger
}

/** A listening socket. */
interface Held {
  readonly fd: number
  /** '' for none. */
  readonly path: string
  readonly inode: number
  readonly speaks: Speaks
}

/** Opens the sockets, `path` for the applications; throws when it cannot. Starts nothing. */
export async function openCommons(
  plan: CommonsPlan,
  jobs: JobsPlan,
  path: string,
  credentials: Credentials | null,
  logger: Logger,
): Promise<CommonsProcess> {
  const held: Held[] = []
  const own = (file: string): void => {
    if (credentials !== null) chownSync(file, credentials.uid, credentials.gid)
  }
  try {
    held.push({ ...openUnix(path, 0o600, BACKLOG), path, speaks: 'resp' })
    own(path)
    for (const [speaks, address] of [
      ['resp', plan.redis],
      ['memcached', plan.memcached],
    ] as const) {
      if (address === null) continue
      held.push({ ...(await open(address)), speaks })
      if (address.kind === 'unix' && !address.path.startsWith('@')) own(address.path)
    }
  } catch (error) {
    for (const socket of held) close(socket)
    throw error
  }
  return new CommonsProcess({ plan, jobs, held, credentials, logger })
}

/** A unix socket is for the site's user and group. */
async function open(address: Address): Promise<Omit<Held, 'speaks'>> {
  if (address.kind === 'unix') {
    return { ...openUnix(address.path, 0o660, BACKLOG), path: address.path }
  }
  const name = showAddress(address)
  const listener = {
    name,
    scheme: 'http',
    address,
    backlog: BACKLOG,
    proxyProtocol: false,
  } as const
  const { fds } = await openSockets(listener, 1, false)
  return { fd: fds[0]!, path: '', inode: 0 }
}

function close({ fd, path, inode }: Held): void {
  closeSync(fd)
  if (path !== '') removeSocketFile(path, inode)
}

export class CommonsProcess {
  readonly #options: CommonsOptions
  readonly #backoff = new Backoff({ youngMs: YOUNG_MS, firstMs: 100, longestMs: 5_000 })
  readonly #over = new AbortController()
  readonly #questions = new Questions<CommonsStatus>(STATUS_TIMEOUT_MS)
  #wakers: readonly Server[] = []
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #jobs: JobsPlan
  restarts = 0
  /** An application has raised a signal of that name. */
  signalled: (name: string) => void = () => {}

  constructor(options: CommonsOptions) {
    this.#options = options
    this.#jobs = options.jobs
    this.#sleep()
    this.#beginJobs()
  }

  /** After a reload. */
  change(jobs: JobsPlan): void {
    this.#jobs = jobs
    if (this.#child !== null) this.#send(this.#child, { type: 'jobs', jobs })
    else this.#beginJobs()
  }

  /** Programs that do jobs are its children: somebody has to start them. */
  #beginJobs(): void {
    if (hasRunners(this.#jobs)) this.start()
  }

  /** 0 while there is none. */
  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts it now rather than with the first connection. */
  start(): void {
    if (this.#child === null && !this.#over.signal.aborted) this.#launch([])
  }

  /** Waits for a first connection. Each listens on a copy of the descriptor, and closes only that. */
  #sleep(): void {
    this.#wakers = this.#options.held.map((held) => {
      const server = createServer({ pauseOnConnect: true, allowHalfOpen: true })
      server.on('connection', (socket) => this.#wake(held, socket))
      server.on('error', (error) => this.#options.logger.error(`commons: ${error.message}`))
      server.listen({ fd: duplicate(held.fd) })
      return server
    })
  }

  #wake(held: Held, socket: Socket): void {
    if (this.#child !== null || this.#over.signal.aborted) {
      socket.destroy()
      return
    }
    this.#launch([{ fd: fdOf(socket), speaks: held.speaks }])
    // The process has a copy.
    socket.destroy()
  }

  #launch(accepted: readonly { fd: number; speaks: Speaks }[]): void {
    for (const server of this.#wakers) server.close()
    this.#wakers = []
    const { plan, held, credentials } = this.#options
    this.#makeJobsFolder()
    const { size, item, connections } = plan
    const heap = Math.ceil((size * HEAP_FACTOR) / 1024 ** 2) + HEAP_MORE_MB
    const node = [
      '--disable-sigusr1',
      `--max-old-space-size=${heap}`,
      `--max-semi-space-size=${YOUNG_MB}`,
      MAIN,
    ]
    const launch = launchAs(credentials, process.execPath, node)
    const sockets = [...held, ...accepted].map(({ fd }) => fd)
    const child = spawn(launch.file, launch.args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...sockets],
      env: { ...childEnvironment(process.env, credentials), ...compileCache() },
      // Its own process group: safe from the terminal's Ctrl-C.
      detached: true,
      uid: launch.uid,
      gid: launch.gid,
    })
    this.#child = child
    const startedAt = performance.now()
    this.#exited = new Promise((resolve) => {
      const died = (how: string): void => {
        resolve()
        this.#questions.giveUp()
        this.#died(child, how, startedAt)
      }
      child.once('error', (error) => died(error.message))
      child.once('exit', (code, signal) => died(`${signal ?? `exit code ${code}`}`))
    })
    child.on('message', (message) => this.#hear(child, message as FromCommons))
    let next = FIRST_SOCKET
    this.#send(child, {
      type: 'start',
      limits: { size, item, connections },
      jobs: this.#jobs,
      listeners: held.map(({ speaks }) => ({ fd: next++, speaks, backlog: BACKLOG })),
      accepted: accepted.map(({ speaks }) => ({ fd: next++, speaks })),
      become: this.#becomes(),
    })
  }

  /** For who writes there. Without it the rest of the commons works. */
  #makeJobsFolder(): void {
    const { credentials, logger } = this.#options
    try {
      prepareJobsFolder(this.#jobs.folder, credentials ?? this.#becomes())
    } catch (error) {
      logger.error(`jobs cannot be kept: ${error instanceof Error ? error.message : error}`)
    }
  }

  /** Where everything runs as root, this at least does not: it needs no right to anything. */
  #becomes(): { readonly uid: number; readonly gid: number } | null {
    if (this.#options.credentials !== null || process.getuid?.() !== 0) return null
    const { uid, gid } = findCredentials(ordinaryUser(), '')
    // But it has to come to the jobs that are kept.
    return isReachable(this.#jobs.folder, { uid, gid }) ? { uid, gid } : null
  }

  /** False: there is nobody to hear it. */
  #send(child: ChildProcess, message: ToCommons): boolean {
    if (child.connected) child.send(message, () => {})
    return child.connected
  }

  #hear(child: ChildProcess, message: FromCommons): void {
    const { logger } = this.#options
    switch (message.type) {
      case 'ready':
        return logger.debug('commons: ready')
      case 'failed':
        logger.error(`commons: it cannot start: ${message.message}`)
        child.kill('SIGKILL')
        return
      case 'log':
        return logger[message.level](message.message)
      case 'signal':
        return this.signalled(message.name)
      case 'status':
        return this.#questions.answered(message.ask, message.status)
    }
  }

  async #died(child: ChildProcess, how: string, startedAt: number): Promise<void> {
    if (this.#child !== child) return
    if (this.#over.signal.aborted) {
      this.#child = null
      return
    }
    const wait = this.#backoff.died(performance.now() - startedAt)
    this.restarts += 1
    this.#options.logger.error(
      `the commons process died (${how}): cache, queues and locks are empty. The next client starts it again`,
    )
    if (this.#backoff.deaths === CIRCUIT_DEATHS) {
      this.#options.logger.error('the commons process keeps dying right after its start; see above')
    }
    try {
      await delay(wait, this.#over.signal)
    } catch {
      return
    } finally {
      this.#child = null
    }
    this.#sleep()
    this.#beginJobs()
  }

  /** Null while there is no process, or when it does not answer in time. */
  async status(): Promise<CommonsStatus | null> {
    const child = this.#child
    if (child === null) return null
    return this.#questions.ask((ask) => this.#send(child, { type: 'status', ask }))
  }

  /** Ends the process and removes the sockets. */
  async stop(): Promise<void> {
    if (this.#over.signal.aborted) return
    this.#over.abort()
    for (const server of this.#wakers) server.close()
    for (const held of this.#options.held) close(held)
    const child = this.#child
    if (child === null) return
    // Its end of the channel closes, and so it ends.
    if (child.connected) child.disconnect()
    if (await settledWithin(this.#exited, EXIT_GRACE_MS)) return
    child.kill('SIGKILL')
    await this.#exited
  }
}

/** The descriptor of an accepted connection that nobody reads. */
function fdOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle')
  const fd = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : -1
  if (typeof fd !== 'number' || fd < 0) throw new Error('a connection without a descriptor')
  return fd
}
