/**
 * Where an application of one generation lives: as whom, within which bounds and walls, and where it meets
 * the server. One that has a user or walls of its own has a folder of its own:
 *
 *     /run/portico/site-…/<generation>.<number>/     ours; others may pass, not look
 *       log.sock                                     its alone
 *       secrets/NAME                                 its alone, to read
 *       meet/                                        its own; the server may pass
 *         link-0.sock …                              the supervisor listens, and gives the server that
 *         http-<pid>.sock                            a Node worker listens
 *     <spool>/portico-<pid>-XXXXXX/<generation>.<number>/   its own; the server may put bodies there
 *
 * Nobody but the application and the server gets anywhere, whatever groups they share (see
 * private-groups.ts); and because the server has the link sockets from us, a worker that connects to one
 * of them is of that application.
 */
import { chmodSync, chownSync, closeSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openUnix } from '../listen/open.ts'
import type { QuartersInServer } from '../server/protocol.ts'
import type { AppPlan, IsolationPlan } from '../site/plan.ts'
import { type LogSocket, openLogSocket } from '../supervisor/log-socket.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { Cgroup, Cgroups, Usage } from '../system/cgroup.ts'
import { usageOfTree } from '../system/usage.ts'
import { type Credentials, findCredentials } from '../system/users.ts'
import { enforce, type LimitsInForce, V8_RESERVES } from './limits.ts'
import type { PrivateGroups } from './private-groups.ts'
import { revealSecrets } from './secrets.ts'
import { buildWalls, type Needs, type Walls, within } from './walls.ts'

/** Portico's own folder. */
const PORTICO = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')
/** Workers that may wait to be accepted. */
const BACKLOG = 4096
const NO_LIMITS: LimitsInForce = { by: {}, before: [], complaints: [] }

export interface QuartersOptions {
  readonly app: AppPlan
  readonly threads: number
  /** The site's. */
  readonly credentials: Credentials | null
  /** The site's sockets, for an application without its own. */
  readonly links: readonly string[]
  readonly log: string
  readonly commons: string
  /** Folders of its own, to be made where it needs them. */
  readonly folder: string
  readonly spool: () => string
  readonly groups: PrivateGroups | null
  readonly cgroups: Cgroups
  /** For a control group: unique on the machine. */
  readonly name: string
  readonly logger: Logger
}

/** For `status`. */
export interface IsolationFacts {
  /** '' for the supervisor's own. */
  readonly user: string
  readonly walls: 'bubblewrap' | 'chroot' | ''
  /** Each bound, and what keeps it. */
  readonly limits: LimitsInForce['by']
}

function needsFolder({ sandbox, user, secrets }: IsolationPlan): boolean {
  return sandbox !== 'none' || user !== '' || secrets.some((secret) => secret.as === 'file')
}

export class Quarters {
  /** Whom it runs as; null: as we do. */
  readonly credentials: Credentials | null
  /** Null: it lives as the site does. */
  readonly plan: IsolationPlan | null
  readonly links: readonly string[]
  readonly log: string
  /** Its folder, which nobody but us writes to; '' for none. */
  readonly folder: string
  /** Null: the server meets it as any other. */
  readonly server: QuartersInServer | null
  readonly limits: LimitsInForce
  readonly walls: Walls | null
  readonly #options: QuartersOptions
  readonly #group: Cgroup | null
  readonly #fds: readonly number[]
  readonly #spool: string
  #logSocket: Promise<LogSocket | null> = Promise.resolve(null)
  /** Why it cannot be started; '' for nothing. */
  #problem = ''
  #kills = 0
  #complained = false
  #closed = false

  /** Never throws: what is wrong is told when the application is started. */
  constructor(options: QuartersOptions) {
    const { app, credentials, folder, cgroups, name } = options
    this.#options = options
    // An engine of containers starts as we are, and does all this itself.
    const contained = app.kind === 'container'
    this.plan = contained ? null : (app.isolation ?? null)
    const root = process.getuid?.() === 0
    const own = this.plan !== null && needsFolder(this.plan)
    const user = this.plan?.user ?? ''
    const site = options.groups === null ? [] : [options.groups.site]
    const found =
      root && user !== '' ? this.#try(() => findCredentials(user, this.plan?.group ?? '')) : null
    this.credentials = contained
      ? null
      : found === null
        ? credentials
        : { ...found, groups: [...found.groups, ...site] }
    const made = own ? this.#try(() => this.#furnish()) : null
    this.folder = made === null ? '' : folder
    this.links = made?.links ?? options.links
    this.log = made === null ? options.log : join(folder, 'log.sock')
    this.#fds = made?.fds ?? []
    this.#spool = made?.spool ?? ''
    this.server =
      made === null
        ? null
        : {
            links: this.#fds,
            meet: join(folder, 'meet'),
            spool: this.#spool,
            uid: this.credentials?.uid ?? process.getuid?.() ?? 0,
          }
    const { limits } = this.plan ?? {}
    this.#group = limits === undefined ? null : cgroups.create(name, limits)
    const bindsRoot = (this.credentials?.uid ?? process.getuid?.()) === 0
    this.limits =
      limits === undefined
        ? NO_LIMITS
        : enforce(limits, this.#group, !bindsRoot, app.kind === 'node' ? V8_RESERVES : 0)
    this.walls = this.plan === null ? null : (this.#try(() => this.#build()) ?? null)
    if (limits?.strict && this.limits.complaints.length > 0) {
      this.#problem ||= this.limits.complaints.join('; ')
    }
  }

  #try<Value>(make: () => Value): Value | null {
    try {
      return make()
    } catch (error) {
      this.#problem ||= error instanceof Error ? error.message : String(error)
      return null
    }
  }

  /** Makes its folders. Nothing in them is its own before they are complete: root follows no link of its. */
  #furnish(): { links: string[]; fds: number[]; spool: string } {
    const { folder, threads, logger, app, groups, spool } = this.#options
    const { credentials } = this
    const give = (path: string, gid: number = credentials?.gid ?? 0): void => {
      if (credentials !== null) chownSync(path, credentials.uid, gid)
    }
    const server = groups?.server ?? this.#options.credentials?.gid ?? credentials?.gid ?? 0
    mkdirSync(folder)
    chmodSync(folder, 0o711)
    mkdirSync(join(folder, 'secrets'))
    chmodSync(join(folder, 'secrets'), 0o711)
    const meet = join(folder, 'meet')
    mkdirSync(meet, { mode: 0o700 })
    const links = Array.from({ length: threads }, (_, i) => join(meet, `link-${i}.sock`))
    const fds: number[] = []
    try {
      for (const path of links) {
        fds.push(openUnix(path, 0o600, BACKLOG).fd)
        give(path)
      }
      const bodies = join(spool(), folder.slice(folder.lastIndexOf('/') + 1))
      mkdirSync(bodies, { mode: 0o700 })
      for (const [path, mode] of [
        [meet, 0o710],
        [bodies, 0o730],
      ] as const) {
        chmodSync(path, mode)
        give(path, server)
      }
      const log = openLogSocket(join(folder, 'log.sock'), credentials, logger, app.name)
      this.#logSocket = log.catch((error: Error) => {
        logger.error(`no log socket for ${app.name}: ${error.message}`)
        return null
      })
      return { links, fds, spool: bodies }
    } catch (error) {
      for (const fd of fds) closeSync(fd)
      throw error
    }
  }

  #build(): Walls | null {
    const { app, commons } = this.#options
    const { plan } = this
    if (plan === null) return null
    const files = 'file' in app ? [dirname(app.file)] : []
    const venv = 'venv' in app && app.venv !== '' ? [app.venv] : []
    const needs: Needs = {
      shown: [PORTICO, ...(commons === '' ? [] : [commons])],
      used: [this.folder, this.#spool].filter((path) => path !== ''),
      own: [...new Set([app.dir, ...files, ...venv])],
    }
    return buildWalls(plan, needs, this.credentials)
  }

  /** Opens the socket of its service, which only the server reaches; -1 where it is to do that itself. */
  openService(backlog: number): number {
    if (this.server === null) return -1
    const path = join(this.folder, 'app.sock')
    rmSync(path, { force: true })
    const { fd } = openUnix(path, 0o600, backlog)
    const { credentials } = this.#options
    if (credentials !== null) chownSync(path, credentials.uid, credentials.gid)
    return fd
  }

  /** Where it may be started: tells what is not as it was asked for. Throws where it may not. */
  check(): void {
    const { app, logger } = this.#options
    if (this.#problem !== '') throw new Error(this.#problem)
    if (this.#complained) return
    this.#complained = true
    const { plan, credentials } = this
    const root = process.getuid?.() === 0
    const complaints = [...this.limits.complaints]
    if (plan?.user && !root) complaints.push('`user:` has no effect: not started as root')
    if (plan?.chroot && root && credentials === null) {
      complaints.push('`chroot:` does not hold root: set `user:` as well')
    }
    for (const complaint of complaints) logger.warn(`${app.name}: ${complaint}`, { app: app.name })
  }

  /** The application as it is to see itself: paths as they are inside. */
  get appInside(): AppPlan {
    const { app } = this.#options
    const root = this.plan?.chroot ?? ''
    if (root === '') return app
    const moved = { ...app, dir: within(root, app.dir) }
    if ('file' in moved) return { ...moved, file: within(root, moved.file) }
    return 'venv' in moved ? { ...moved, venv: within(root, moved.venv) } : moved
  }

  /** The files through which its processes enter their control groups. */
  get doors(): readonly string[] {
    return this.#group?.doors ?? []
  }

  /** Variables with its secrets, read now. Throws where one cannot be read. */
  reveal(): Record<string, string> {
    const folder = this.folder === '' ? '' : join(this.folder, 'secrets')
    return revealSecrets(this.plan?.secrets ?? [], folder, this.credentials)
  }

  /** Whether one of its processes was killed for want of memory since this was last asked: why, or ''. */
  killedBy(): string {
    const kills = this.#group?.oomKills() ?? 0
    const before = this.#kills
    this.#kills = kills
    return kills > before ? 'out of memory: over limits.memory' : ''
  }

  /** For `status`: of a control group, else of the processes below `root`. */
  told(root: number): { isolation?: IsolationFacts; usage?: Usage } {
    const usage = this.#group?.usage() ?? usageOfTree(root)
    const isolation = {
      user: this.credentials?.user ?? '',
      walls: this.walls?.kind ?? ('' as const),
      limits: this.limits.by,
    }
    return {
      ...(this.plan === null ? {} : { isolation }),
      ...(usage === null ? {} : { usage }),
    }
  }

  /** The server that had copies of these is gone. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const fd of this.#fds) closeSync(fd)
    void this.#logSocket.then((socket) => socket?.close())
    this.#group?.remove()
    for (const path of [this.folder, this.#spool]) {
      if (path !== '') rmSync(path, { recursive: true, force: true })
    }
  }
}
