/**
 * Linux' control groups: bounds on all processes of an application together, and what they use. Version 2
 * as the kernel's admin-guide/cgroup-v2 tells it, where a part of its tree is ours; else version 1
 * (admin-guide/cgroup-v1), controller by controller.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const CGROUP_ROOT = '/sys/fs/cgroup'
export type Controller = 'memory' | 'cpu' | 'pids'
const CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids']

/** The period over which processor time is counted, µs: the kernel's default. */
const CPU_PERIOD = 100_000

/** -1: no bound. */
export interface CgroupLimits {
  /** Bytes. */
  readonly memory: number
  /** Cores. */
  readonly cpu: number
  readonly pids: number
}

export interface Usage {
  /** Resident memory, bytes. */
  readonly memory: number
  readonly cpuMs: number
  readonly processes: number
}

export interface Cgroup {
  /** What it bounds. */
  readonly controllers: ReadonlySet<Controller>
  /** The files that a process writes 0 to in order to enter. */
  readonly doors: readonly string[]
  /** How often the kernel has killed somebody for want of memory. */
  oomKills(): number
  usage(): Usage | null
  /** Ends whoever is left, and removes it. */
  remove(): void
}

/** The machine's control groups; `root` and `self` (/proc/self/cgroup) can be others. */
export class Cgroups {
  readonly #root: string
  readonly #self: string
  #tree: { readonly folder: string; readonly usable: ReadonlySet<Controller> } | null | undefined

  constructor(root: string = CGROUP_ROOT, self: string = read('/proc/self/cgroup')) {
    this.#root = root
    this.#self = self
  }

  /** A group with these bounds; null where this process may not make one. Throws never. */
  create(name: string, limits: CgroupLimits): Cgroup | null {
    const wanted = CONTROLLERS.filter((controller) => limits[controller] >= 0)
    if (wanted.length === 0) return null
    if (this.#tree === undefined) this.#tree = this.#findTree()
    const { folder, usable } = this.#tree ?? { folder: '', usable: new Set<Controller>() }
    if (wanted.some((controller) => usable.has(controller))) {
      return createSecond(join(folder, name), limits, usable)
    }
    const homes = wanted.flatMap((controller) => {
      const home = this.#firstHome(controller)
      return home === '' ? [] : [{ controller, folder: join(home, name) }]
    })
    return createFirst(homes, limits, this.#firstHome('cpuacct'), name)
  }

  /** The folder of our own group in a hierarchy of version 1; '' where there is none. */
  #firstHome(controller: Controller | 'cpuacct'): string {
    for (const line of this.#self.split('\n')) {
      const [, names = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
      if (!names.split(',').includes(controller)) continue
      for (const mount of [controller, names]) {
        // In a container, the path may be the host's: then our own group is the mount itself.
        for (const own of [path, '/']) {
          const folder = join(this.#root, mount, own)
          if (existsSync(join(folder, 'cgroup.procs'))) return folder
        }
      }
    }
    return ''
  }

  /**
   * The folder in version 2's tree whose groups are ours to make. Only leaves hold processes there ("no
   * internal process constraint"), so we move into one. Null where others live beside us.
   */
  #findTree(): { folder: string; usable: ReadonlySet<Controller> } | null {
    const path = /^0::(.*)$/m.exec(this.#self)?.[1]
    if (path === undefined) return null
    const top = existsSync(join(this.#root, 'cgroup.controllers'))
      ? this.#root
      : join(this.#root, 'unified')
    const folder = [join(top, path), top].find((each) => existsSync(join(each, 'cgroup.procs')))
    if (folder === undefined) return null
    const there = read(join(folder, 'cgroup.controllers')).trim().split(' ')
    const usable = new Set(CONTROLLERS.filter((controller) => there.includes(controller)))
    if (usable.size === 0) return null
    const leaf = join(folder, 'portico-supervisor')
    try {
      const others = numbers(join(folder, 'cgroup.procs')).filter((pid) => pid !== process.pid)
      if (others.length > 0) return null
      mkdirSync(leaf, { recursive: true })
      writeFileSync(join(leaf, 'cgroup.procs'), '0')
      const all = [...usable].map((controller) => `+${controller}`).join(' ')
      writeFileSync(join(folder, 'cgroup.subtree_control'), all)
      return { folder, usable }
    } catch {
      // It is not delegated to us.
      return null
    }
  }
}

function createSecond(
  folder: string,
  limits: CgroupLimits,
  usable: ReadonlySet<Controller>,
): Cgroup | null {
  const controllers = new Set<Controller>()
  try {
    mkdirSync(folder, { recursive: true })
  } catch {
    return null
  }
  const set = (controller: Controller, file: string, value: string): void => {
    if (limits[controller] < 0 || !usable.has(controller)) return
    if (write(join(folder, file), value)) controllers.add(controller)
  }
  set('memory', 'memory.max', String(limits.memory))
  // What has to be swapped out is over the bound as well.
  if (controllers.has('memory')) write(join(folder, 'memory.swap.max'), '0')
  set('pids', 'pids.max', String(limits.pids))
  set('cpu', 'cpu.max', `${Math.round(limits.cpu * CPU_PERIOD)} ${CPU_PERIOD}`)
  return {
    controllers,
    doors: [join(folder, 'cgroup.procs')],
    oomKills: () => field(join(folder, 'memory.events'), 'oom_kill'),
    usage: () => ({
      memory:
        field(join(folder, 'memory.stat'), 'anon') +
        field(join(folder, 'memory.stat'), 'file_mapped'),
      cpuMs: field(join(folder, 'cpu.stat'), 'usage_usec') / 1000,
      processes: numbers(join(folder, 'cgroup.procs')).length,
    }),
    remove() {
      if (!write(join(folder, 'cgroup.kill'), '1')) killAll([folder])
      removeSoon([folder])
    },
  }
}

interface Home {
  readonly controller: Controller
  readonly folder: string
}

function createFirst(
  homes: readonly Home[],
  limits: CgroupLimits,
  accounts: string,
  name: string,
): Cgroup | null {
  const made = homes.filter(({ controller, folder }) => {
    try {
      mkdirSync(folder, { recursive: true })
    } catch {
      return false
    }
    if (boundFirst(controller, folder, limits)) return true
    removeSoon([folder])
    return false
  })
  const [first] = made
  if (first === undefined) return null
  const accounting = accounts === '' ? '' : join(accounts, name)
  const folders = made.map(({ folder }) => folder)
  if (accounting !== '' && !folders.includes(accounting)) {
    try {
      mkdirSync(accounting, { recursive: true })
      folders.push(accounting)
    } catch {
      // Then there is no telling what time its processes take.
    }
  }
  const memory = made.find(({ controller }) => controller === 'memory')?.folder ?? ''
  return {
    controllers: new Set(made.map(({ controller }) => controller)),
    doors: folders.map((folder) => join(folder, 'cgroup.procs')),
    oomKills: () => (memory === '' ? 0 : field(join(memory, 'memory.oom_control'), 'oom_kill')),
    usage() {
      if (memory === '' || !folders.includes(accounting)) return null
      return {
        memory:
          field(join(memory, 'memory.stat'), 'total_rss') +
          field(join(memory, 'memory.stat'), 'total_mapped_file'),
        cpuMs: Number(read(join(accounting, 'cpuacct.usage'))) / 1e6,
        processes: numbers(join(first.folder, 'cgroup.procs')).length,
      }
    },
    remove() {
      killAll([first.folder])
      removeSoon(folders)
    },
  }
}

function boundFirst(controller: Controller, folder: string, limits: CgroupLimits): boolean {
  switch (controller) {
    case 'memory':
      if (!write(join(folder, 'memory.limit_in_bytes'), String(limits.memory))) return false
      // With swap; only there where the kernel counts it.
      write(join(folder, 'memory.memsw.limit_in_bytes'), String(limits.memory))
      return true
    case 'pids':
      return write(join(folder, 'pids.max'), String(limits.pids))
    case 'cpu':
      return (
        write(join(folder, 'cpu.cfs_period_us'), String(CPU_PERIOD)) &&
        write(join(folder, 'cpu.cfs_quota_us'), String(Math.round(limits.cpu * CPU_PERIOD)))
      )
  }
}

function killAll(folders: readonly string[]): void {
  for (const folder of folders) {
    for (const pid of numbers(join(folder, 'cgroup.procs'))) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has just ended.
      }
    }
  }
}

/** A group can be removed once its last process is buried, which takes the kernel a moment. */
const REMOVE_TRIES = 50
const REMOVE_EVERY_MS = 20

function removeSoon(folders: readonly string[], tries: number = REMOVE_TRIES): void {
  const left = folders.filter((folder) => {
    try {
      rmdirSync(folder)
      return false
    } catch {
      return existsSync(folder)
    }
  })
  if (left.length > 0 && tries > 0) {
    setTimeout(() => removeSoon(left, tries - 1), REMOVE_EVERY_MS)
  }
}

/** Those that supervisors which were killed have left: `portico-<pid>-…`. */
export function removeAbandonedGroups(
  isAlive: (pid: number) => boolean,
  root: string = CGROUP_ROOT,
  self: string = read('/proc/self/cgroup'),
): void {
  for (const line of self.split('\n')) {
    const [, names = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    const mounts = names === '' ? ['', 'unified'] : names.split(',')
    for (const mount of mounts) {
      const folder = join(root, mount, path)
      for (const name of entries(folder)) {
        const pid = Number(/^portico-(\d+)-/.exec(name)?.[1] ?? 0)
        if (pid === 0 || isAlive(pid)) continue
        killAll([join(folder, name)])
        removeSoon([join(folder, name)])
      }
    }
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** The number behind `name` in a file of such lines; 0 where there is none. */
function field(file: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(read(file))?.[1] ?? 0)
}

function numbers(file: string): number[] {
  return read(file).split('\n').filter(Boolean).map(Number)
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function write(file: string, value: string): boolean {
  try {
    writeFileSync(file, value)
    return true
  } catch {
    return false
  }
}
