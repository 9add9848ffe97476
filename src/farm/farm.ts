/**
 * A farm: every site that its patterns find, each a Portico of its own that runs as its file's owner. They
 * appear, change and disappear with their files; one that fails harms no other. With `listen`, a front
 * takes the visitors of all of them.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { openUnix } from '../listen/open.ts'
import type { Logger } from '../supervisor/logger.ts'
import { delay, settledWithin } from '../supervisor/timers.ts'
import type { ServiceManager } from '../system/sd-notify.ts'
import { type Credentials, findCredentials } from '../system/users.ts'
import { type Behind, frontSite, hostsOf, shareHosts } from './front.ts'
import { type HeldSocket, Member, type MemberFacts } from './member.ts'
import { type FoundSite, findSites } from './sites.ts'

export interface FarmOptions {
  readonly patterns: readonly string[]
  /** What relative patterns are relative to. */
  readonly folder: string
  /** How often the patterns are looked at, ms. */
  readonly everyMs: number
  /** Each site runs as its file's owner. */
  readonly asOwners: boolean
  /** Where the front listens; empty: every site listens for itself. */
  readonly listen: readonly string[]
  /** Who the front runs as; '' for whoever started the farm. */
  readonly user: string
  readonly launcher: readonly string[]
  readonly logger: Logger
  readonly manager: ServiceManager
}

export interface FarmStatus {
  readonly pid: number
  readonly listen: readonly string[]
  readonly sites: Readonly<Record<string, MemberFacts & { readonly hosts: readonly string[] }>>
}

const FRONT = 'front'
const SOCKET_MODE = 0o666
const BACKLOG = 4_096
const FORWARD_MS = 50
const RETRY_MS = 1_000
/** For the hosts of sites that have just appeared. */
const FIRST_READS_MS = 10_000

export class Farm {
  readonly #options: FarmOptions
  readonly #folder: string
  readonly #members = new Map<string, Member>()
  /** Stamps at the last look: a file that is still being written is left alone. */
  #stamps: ReadonlyMap<string, string> | null = null
  /** Names of sites that still finish what they have in hand. */
  readonly #leaving = new Set<string>()
  readonly #hosts = new Map<string, readonly string[]>()
  readonly #over = new AbortController()
  /** Of sites that have just appeared: their hosts. */
  readonly #reads: Promise<void>[] = []
  #owners = new Map<string, string>()
  #front: Member | null = null
  #frontText = ''
  #frontWanted = false
  #told = ''
  #starting = 0
  readonly #queue: (() => void)[] = []

  constructor(options: FarmOptions) {
    this.#options = options
    this.#folder = privateFolder()
  }

  /** Looks after its sites until `stop`. */
  async run(): Promise<void> {
    const { everyMs, manager, listen } = this.#options
    if (listen.length > 0) this.#startFront()
    this.#look()
    manager.ready(this.#summary())
    try {
      for (;;) {
        await delay(everyMs, this.#over.signal)
        this.#look()
      }
    } catch (error) {
      if (!this.#over.signal.aborted) throw error
    }
    const all = [...this.#members.values(), ...(this.#front === null ? [] : [this.#front])]
    await Promise.all(all.map((member) => member.stop()))
    rmSync(this.#folder, { recursive: true, force: true })
  }

  stop(): void {
    this.#over.abort(new Error('stopping'))
  }

  /** Looks at once, also at sites that wait. */
  reload(): void {
    this.#look()
  }

  get status(): FarmStatus {
    const sites = [...this.#members.values()].map((member) => {
      const { name } = member.site
      const hosts = [...this.#owners].filter(([, owner]) => owner === name).map(([host]) => host)
      return [name, { ...member.facts, hosts }] as const
    })
    return { pid: process.pid, listen: this.#options.listen, sites: Object.fromEntries(sites) }
  }

  #look(): void {
    const { patterns, folder, logger } = this.#options
    let found: FoundSite[]
    try {
      found = findSites(patterns, folder)
    } catch (error) {
      // A folder that cannot be read now is no reason to stop what runs.
      const why = error instanceof Error ? error.message : String(error)
      return logger.error(`the farm's folders cannot be read: ${why}`)
    }
    const before = this.#stamps
    this.#stamps = new Map(found.map((site) => [site.file, site.stamp]))
    const isSettled = (site: FoundSite): boolean =>
      before === null || before.get(site.file) === site.stamp
    const byFile = new Map(found.map((site) => [site.file, site]))
    for (const [file, member] of this.#members) {
      const site = byFile.get(file)
      const { stamp, uid, gid } = member.site
      if (site?.uid === uid && site.gid === gid) {
        if (site.stamp !== stamp && isSettled(site))
          void this.#change(member, { ...site, name: member.site.name })
        continue
      }
      logger.info('its file is gone: the site is stopped', { site: member.site.name })
      this.#members.delete(file)
      this.#hosts.delete(member.site.name)
      void this.#leave(member)
    }
    for (const site of found) {
      if (!this.#members.has(site.file) && isSettled(site)) void this.#appear(site)
    }
  }

  async #leave(member: Member): Promise<void> {
    const { name } = member.site
    this.#leaving.add(name)
    await this.#forward()
    await member.stop()
    this.#leaving.delete(name)
  }

  async #appear(found: FoundSite): Promise<void> {
    const { logger, asOwners, listen } = this.#options
    const names = new Set([...this.#members.values()].map(({ site }) => site.name))
    // The same file of another owner begins anew once the one before has ended.
    if (this.#leaving.has(found.name)) return
    const site = names.has(found.name) ? { ...found, name: `${found.name}-${found.uid}` } : found
    logger.info(`a site: ${site.file}`, { site: site.name })
    const credentials = asOwners ? credentialsOf(site) : null
    const socket = listen.length === 0 ? null : openSocket(this.#socketOf(site.name))
    const member = this.#createMember(site, socket, credentials)
    this.#members.set(site.file, member)
    // Its hosts are its own from the beginning, however long it takes to start.
    const read = this.#readHosts(member, credentials).then((hosts) => {
      if (hosts !== null && this.#members.get(site.file) === member)
        this.#hosts.set(site.name, hosts)
    })
    this.#reads.push(read)
    await Promise.all([read, member.start()])
    await this.#forward()
  }

  async #change(member: Member, site: FoundSite): Promise<void> {
    this.#options.logger.info('its file has changed', { site: site.name })
    const credentials = this.#options.asOwners ? credentialsOf(site) : null
    const changed = member.change(site)
    const hosts = await this.#readHosts(member, credentials)
    // What its old file named stays its own until the new one serves.
    if (await changed) await this.#claim(member, site.stamp, hosts)
  }

  async #claim(member: Member, stamp: string, hosts: readonly string[] | null): Promise<void> {
    // Its file has changed again meanwhile, or is gone.
    if (member.site.stamp !== stamp || this.#members.get(member.site.file) !== member) return
    if (hosts !== null) this.#hosts.set(member.site.name, hosts)
    await this.#forward()
  }

  /** Null when there is no front, or the file is not right: the site itself says why. */
  async #readHosts(
    { site }: Member,
    credentials: Credentials | null,
  ): Promise<readonly string[] | null> {
    const { listen, launcher } = this.#options
    if (listen.length === 0 || site.refused !== '') return null
    return hostsOf(site.file, launcher, credentials).catch(() => null)
  }

  #createMember(
    site: FoundSite,
    socket: HeldSocket | null,
    credentials: Credentials | null,
  ): Member {
    const { launcher, logger } = this.#options
    return new Member({
      site,
      folder: join(this.#folder, site.name),
      socket,
      launcher,
      credentials,
      logger,
      turn: () => this.#turn(),
      changed: () => {
        this.#options.manager.status(this.#summary())
        void this.#forward()
      },
    })
  }

  /** As many sites start at a time as there are cores; the others wait. */
  async #turn(): Promise<() => void> {
    if (this.#starting >= availableParallelism()) {
      await new Promise<void>((go) => this.#queue.push(go))
    }
    this.#starting += 1
    let over = false
    return () => {
      if (over) return
      over = true
      this.#starting -= 1
      this.#queue.shift()?.()
    }
  }

  #summary(): string {
    const all = [...this.#members.values()]
    const running = all.filter(({ facts }) => facts.state === 'running').length
    return `${running} of ${all.length} sites run`
  }

  // The front.

  #startFront(): void {
    const folder = join(this.#folder, FRONT)
    mkdirSync(folder, { mode: 0o755 })
    const file = join(folder, 'site.json')
    this.#writeFront(file, [])
    const { uid, gid } = statSync(file)
    const site: FoundSite = { file, name: FRONT, stamp: '', uid, gid, refused: '' }
    this.#front = this.#createMember(site, null, null)
    void this.#front.start()
  }

  /** Sends visitors where the sites are now; several changes at once cost one reload. */
  async #forward(): Promise<void> {
    if (this.#front === null || this.#frontWanted || this.#over.signal.aborted) return
    this.#frontWanted = true
    await delay(FORWARD_MS)
    // So that what is there from the beginning is shared out in order, not by who is quick.
    await settledWithin(Promise.all(this.#reads.splice(0)), FIRST_READS_MS)
    this.#frontWanted = false
    const { site } = this.#front
    const sites = [...this.#members.values()].map(({ site: { name }, facts }): Behind => {
      const socket = this.#socketOf(name)
      const hosts = this.#hosts.get(name) ?? []
      return { name, socket, hosts, running: facts.state === 'running' }
    })
    if (!this.#writeFront(site.file, sites) || (await this.#front.change(site))) return
    // It serves as before, which is not what the sites are.
    this.#frontText = ''
    await delay(RETRY_MS, this.#over.signal).catch(() => {})
    await this.#forward()
  }

  /** In our folder, not the site's own: nobody else decides what the front speaks to. */
  #socketOf(name: string): string {
    return join(this.#folder, `${name}.sock`)
  }

  #writeFront(file: string, sites: readonly Behind[]): boolean {
    const { listen, user, logger } = this.#options
    const { owners, refused } = shareHosts(sites, this.#owners)
    this.#owners = owners
    const told = refused
      .map(([host, site, owner]) => `${host} of ${site} belongs to ${owner}`)
      .join('; ')
    if (told !== '' && told !== this.#told) logger.warn(`hosts that two sites name: ${told}`)
    this.#told = told
    const text = frontSite(listen, user, sites, owners)
    if (text === this.#frontText) return false
    this.#frontText = text
    writeFileSync(file, text)
    return true
  }
}

/** Nobody else may put anything into it, everybody may reach the sockets that sites open for all. */
function privateFolder(): string {
  const root = process.getuid?.() === 0
  const runtime = process.env.RUNTIME_DIRECTORY?.split(':')[0] ?? ''
  const base =
    runtime !== '' ? runtime : root ? '/run/portico' : (process.env.XDG_RUNTIME_DIR ?? tmpdir())
  mkdirSync(base, { recursive: true, mode: 0o755 })
  const folder = mkdtempSync(join(base, `farm-${process.pid}-`))
  chmodSync(folder, 0o711)
  return folder
}

/** As reachable as a port of the machine; visitors wait in it while the site restarts. */
function openSocket(path: string): HeldSocket {
  return { path, fd: openUnix(path, SOCKET_MODE, BACKLOG).fd }
}

function credentialsOf({ uid, gid }: FoundSite): Credentials | null {
  if (uid === process.getuid?.()) return null
  return findCredentials(String(uid), String(gid))
}
