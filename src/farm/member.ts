/**
 * One site of a farm: a Portico of its own, started, reloaded when its file changes, stopped when that is
 * gone. What goes wrong in it is its own affair.
 *
 *     start ──► starting ──ready──► running ──file changed──► reloading ──► running
 *                  ▲                   │
 *                  └───── waiting ◄────┴─ it ended: anew, ever more slowly, or at once with a new file
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, closeSync, mkdirSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { askAdmin } from '../supervisor/ask-admin.ts'
import { Backoff } from '../supervisor/backoff.ts'
import { childEnvironment } from '../supervisor/environment.ts'
import { guardGroup, killGroup } from '../supervisor/kill-group.ts'
import { LineReader } from '../supervisor/lines.ts'
import type { Fields, Level, Logger } from '../supervisor/logger.ts'
import { settledWithin } from '../supervisor/timers.ts'
import { type Credentials, launchAs } from '../system/users.ts'
import type { FoundSite } from './sites.ts'

export type MemberState = 'starting' | 'running' | 'waiting' | 'refused' | 'stopped'

export interface MemberFacts {
  readonly file: string
  readonly user: string
  readonly state: MemberState
  /** Why it does not run, or why its newest file does not serve; '' when all is well. */
  readonly detail: string
  readonly pid: number
  readonly restarts: number
  readonly urls: readonly string[]
}

/** A listening socket that the farm holds for a site. */
export interface HeldSocket {
  readonly path: string
  readonly fd: number
}

export interface MemberOptions {
  readonly site: FoundSite
  /** A folder of its own, to be created, for its sockets. */
  readonly folder: string
  readonly launcher: readonly string[]
  /** Where the front sends its visitors; null: it listens as its file says. */
  readonly socket: HeldSocket | null
  /** Whom it runs as; null: as the farm itself. */
  readonly credentials: Credentials | null
  readonly logger: Logger
  /** Waits until another start is allowed; called before each. */
  readonly turn: () => Promise<() => void>
  /** It serves, or serves something else, or does not any more. */
  readonly changed: () => void
}

const LONGEST_LINE = 65_536
/** From the start to the first answer; an application may take as long as its site lets it. */
const READY_MS = 120_000
const STOP_MS = 60_000
/** A site that lives shorter is started ever more slowly. */
const YOUNG_MS = 10_000

export class Member {
  readonly admin: string
  readonly #options: MemberOptions
  readonly #backoff = new Backoff({ youngMs: YOUNG_MS, firstMs: 1_000, longestMs: 60_000 })
  #site: FoundSite
  #state: MemberState = 'waiting'
  #detail = ''
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #urls: readonly string[] = []
  #restarts = 0
  #lastError = ''
  #stopping = false

  constructor(options: MemberOptions) {
    this.#options = options
    this.#site = options.site
    this.admin = join(options.folder, 'admin.sock')
  }

  get site(): FoundSite {
    return this.#site
  }

  get facts(): MemberFacts {
    const { credentials } = this.#options
    return {
      file: this.#site.file,
      user: credentials?.user ?? '',
      state: this.#state,
      detail: this.#detail,
      pid: this.#child?.pid ?? 0,
      restarts: this.#restarts,
      urls: this.#urls,
    }
  }

  async start(): Promise<void> {
    const { refused } = this.#site
    if (refused !== '') return this.#become('refused', refused)
    // Why it last ended holds until it runs.
    this.#become('starting', this.#detail)
    const done = await this.#options.turn()
    if (!this.#stopping) await this.#launch(done)
    else done()
  }

  /** Its file is another one now. Resolves with whether that serves. */
  async change(site: FoundSite): Promise<boolean> {
    this.#site = site
    if (this.#child === null) {
      clearTimeout(this.#timer)
      this.#backoff.reset()
      await this.start()
      return this.#state === 'running'
    }
    if (site.refused !== '') {
      this.#say('error', `not reloaded: ${site.refused}`)
      this.#become('running', site.refused)
      return false
    }
    // One that is still starting may have read the file before it changed.
    await settledWithin(this.#ready, READY_MS)
    const { ok, message } = await this.#reload()
    this.#say(
      ok ? 'info' : 'error',
      ok ? 'reloaded' : `not reloaded, it serves as before: ${message}`,
    )
    if (this.#child !== null) this.#become('running', message)
    return ok
  }

  async #reload(): Promise<{ ok: boolean; message: string }> {
    try {
      return JSON.parse((await askAdmin(this.admin, 'POST', '/reload')).body)
    } catch (error) {
      return { ok: false, message: error instanceof Error ? error.message : String(error) }
    }
  }

  #ready: Promise<void> = Promise.resolve()

  #launch(done: () => void): Promise<void> {
    const { folder, socket, credentials } = this.#options
    mkdirSync(folder, { recursive: true, mode: 0o711 })
    if (credentials !== null) chownSync(folder, credentials.uid, credentials.gid)
    const [program = '', ...args] = this.#command()
    const launch = launchAs(credentials, program, args)
    const child = spawn(launch.file, launch.args, {
      cwd: dirname(this.#site.file),
      env: { ...this.#environment(), RUNTIME_DIRECTORY: folder },
      stdio: ['ignore', 'inherit', 'pipe', ...(socket === null ? [] : [socket.fd])],
      // Its own process group: the farm decides when it ends.
      detached: true,
      uid: launch.uid,
      gid: launch.gid,
    })
    this.#child = child
    this.#lastError = ''
    const startedAt = performance.now()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#ready = promise
    const timer = setTimeout(() => killGroup(child), READY_MS)
    const settled = (): void => {
      clearTimeout(timer)
      done()
      resolve()
    }
    const reader = new LineReader(LONGEST_LINE, (line) => this.#hear(line, settled))
    child.stderr?.on('data', (chunk: Buffer) => reader.feed(chunk))
    child.stderr?.on('end', () => reader.end())
    child.on('error', (error) => this.#say('error', error.message))
    this.#exited = new Promise((exited) => {
      child.once('close', (code, signal) => {
        settled()
        this.#ended(code, signal, performance.now() - startedAt)
        exited()
      })
    })
    if (child.pid !== undefined) {
      const guard = guardGroup(child, credentials)
      child.once('exit', () => guard.kill('SIGKILL'))
    }
    return promise
  }

  /** With the socket as a service manager hands it on: meant for this very process. */
  #command(): string[] {
    const { launcher, socket } = this.#options
    const serve = [...launcher, 'serve', this.#site.file, '--json', '--admin', this.admin]
    if (socket === null) return serve
    const words = [...serve, '--listen', `unix:${socket.path}`, '--trusted', 'unix']
    return ['/bin/sh', '-c', 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', 'site', ...words]
  }

  /** Another user's site sees nothing of ours but where programs are. */
  #environment(): NodeJS.ProcessEnv {
    const { credentials } = this.#options
    if (credentials === null) return childEnvironment(process.env, null)
    const { PATH, LANG, LC_ALL, TZ } = process.env
    const kept = Object.entries({ PATH, LANG, LC_ALL, TZ }).filter(
      ([, value]) => value !== undefined,
    )
    const { home, user } = credentials
    return { ...Object.fromEntries(kept), HOME: home, USER: user, LOGNAME: user }
  }

  /** A line of its log: JSON, or what a program wrote without asking. */
  #hear(line: string, ready: () => void): void {
    const entry = parse(line)
    if (entry === null) return this.#say('info', line)
    const { level, message, fields } = entry
    this.#say(level, message, fields)
    if (level === 'error') this.#lastError = message
    if (this.#state === 'starting' && typeof fields.urls === 'string') {
      this.#urls = fields.urls.split(' ')
      this.#become('running', '')
      ready()
    }
  }

  #say(level: Level, message: string, fields: Fields = {}): void {
    this.#options.logger[level](message, { ...fields, site: this.#site.name })
  }

  #become(state: MemberState, detail: string): void {
    if (state === 'refused' && this.#state !== 'refused')
      this.#say('error', `not served: ${detail}`)
    this.#state = state
    this.#detail = detail
    this.#options.changed()
  }

  #ended(code: number | null, signal: string | null, livedMs: number): void {
    this.#child = null
    this.#urls = []
    if (this.#stopping) return
    const how = signal ?? `exit code ${code}`
    const waitMs = Math.max(1_000, this.#backoff.died(livedMs))
    this.#restarts += 1
    this.#say(
      'error',
      `the site ended (${how}); started again in ${waitMs / 1_000} s, or when its file changes`,
    )
    this.#become('waiting', this.#lastError === '' ? `it ended (${how})` : this.#lastError)
    this.#timer = setTimeout(() => void this.start(), waitMs)
  }

  async #clean(): Promise<void> {
    const { folder, socket, credentials } = this.#options
    if (socket !== null) {
      closeSync(socket.fd)
      rmSync(socket.path, { force: true })
    }
    if (credentials === null) return rmSync(folder, { recursive: true, force: true })
    await empty(folder, credentials)
    try {
      rmdirSync(folder)
    } catch {
      // It was never there, or holds what its owner put there.
    }
  }

  /** Lets it finish what it has in hand. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearTimeout(this.#timer)
    const child = this.#child
    if (child !== null) {
      child.kill('SIGTERM')
      if (!(await settledWithin(this.#exited, STOP_MS))) {
        this.#say('warn', 'it did not end in time; killed')
        killGroup(child)
        await this.#exited
      }
    }
    this.#become('stopped', '')
    await this.#clean()
  }
}

/** Its owner may put things there while we look: only its owner's rights are used on them. */
async function empty(folder: string, credentials: Credentials): Promise<void> {
  const launch = launchAs(credentials, 'find', [folder, '-mindepth', '1', '-delete'])
  const child = spawn(launch.file, launch.args, {
    stdio: 'ignore',
    uid: launch.uid,
    gid: launch.gid,
  })
  await new Promise((resolve) => {
    child.once('exit', resolve)
    child.once('error', resolve)
  })
}

function parse(line: string): { level: Level; message: string; fields: Fields } | null {
  try {
    const { time: _, level, message, ...fields } = JSON.parse(line)
    if (!['debug', 'info', 'warn', 'error'].includes(level) || typeof message !== 'string')
      return null
    return { level, message, fields }
  } catch {
    return null
  }
}
