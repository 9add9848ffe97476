/** What /proc tells: process trees, their processor time and memory, and how busy a core is. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** Clock ticks a second, USER_HZ: 100 on every Linux that Node runs on. */
const TICKS = 100

interface Stat {
  readonly pid: number
  readonly parent: number
  /** utime + stime + cutime + cstime, in ticks. */
  readonly ticks: number
}

function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name is in parentheses and may hold anything: split after the last one.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return undefined
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0)
    return { pid, parent: Number(fields[1]), ticks }
  } catch {
    return undefined
  }
}

/** The given processes and all their living descendants. */
export function tree(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const stat = readStat(pid)
    if (!stat) continue
    const siblings = children.get(stat.parent)
    if (siblings) siblings.push(pid)
    else children.set(stat.parent, [pid])
  }
  const found = new Set<number>()
  const queue = roots.filter((pid) => readStat(pid) !== undefined)
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    if (found.has(pid)) continue
    found.add(pid)
    queue.push(...(children.get(pid) ?? []))
  }
  return [...found]
}

/** The living children of the living children of a process. */
export function grandchildren(root: number): number[] {
  const parents = new Map(tree([root]).map((pid) => [pid, readStat(pid)?.parent ?? 0]))
  const parentOf = (pid: number): number => parents.get(pid) ?? 0
  return [...parents.keys()].filter((pid) => pid !== root && parentOf(parentOf(pid)) === root)
}

/** Processor time that a process tree has used, with its reaped children, in seconds. */
export function cpuSeconds(roots: readonly number[]): number {
  let ticks = 0
  for (const pid of tree(roots)) ticks += readStat(pid)?.ticks ?? 0
  return ticks / TICKS
}

/** Processor time of this process and of the children that have ended, in seconds. */
export function ownCpuSeconds(): number {
  return (readStat(process.pid)?.ticks ?? 0) / TICKS
}

/**
 * Memory of a process tree in bytes, with nothing counted twice and nothing left out: the
 * proportional share (PSS) of anonymous and shared memory, and the resident part of each mapped file
 * once. The PSS of files would depend on who else runs the same interpreter at the time.
 */
export function memoryBytes(roots: readonly number[]): number {
  let kilobytes = 0
  const files = new Map<string, number>()
  for (const pid of tree(roots)) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
      kilobytes += field(rollup, 'Pss_Anon') + field(rollup, 'Pss_Shmem')
      for (const [part, resident] of fileParts(readFileSync(`/proc/${pid}/smaps`, 'latin1'))) {
        files.set(part, Math.max(resident, files.get(part) ?? 0))
      }
    } catch {
      // It ended between the listing and the reading.
    }
  }
  for (const resident of files.values()) kilobytes += resident
  return kilobytes * 1024
}

/** Resident kilobytes of every mapped part of a file, without what was written to and copied. */
function fileParts(smaps: string): Map<string, number> {
  const parts = new Map<string, number>()
  // start-end perms offset dev inode path
  for (const mapping of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const [, offset, path] = /^\S+ \S+ (\S+) \S+ [1-9]\d* +(\/\S+)/.exec(mapping) ?? []
    if (path === undefined || /^\/(memfd:|dev\/|SYSV)/.test(path)) continue
    const part = `${path} ${offset}`
    const resident = field(mapping, 'Rss') - field(mapping, 'Anonymous')
    parts.set(part, Math.max(resident, parts.get(part) ?? 0))
  }
  return parts
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
}

/**
 * The living workers of a preforking server: leaves of its tree that run `executable` and whose
 * parent runs it too. A parent that has no worker left is a leaf as well, but not one of them.
 */
export function workersOf(roots: readonly number[], executable: RegExp): number[] {
  const pids = tree(roots)
  const parents = new Map(pids.map((pid) => [pid, readStat(pid)?.parent ?? 0]))
  const busyParents = new Set(parents.values())
  return pids.filter((pid) => {
    const parent = parents.get(pid) ?? 0
    return !busyParents.has(pid) && runs(pid, executable) && runs(parent, executable)
  })
}

function runs(pid: number, executable: RegExp): boolean {
  try {
    return executable.test(readlinkSync(`/proc/${pid}/exe`))
  } catch {
    return false
  }
}

export interface CoreTime {
  readonly busy: number
  readonly total: number
}

/** Busy and total seconds of one core since the machine started. */
export function coreTime(core: number): CoreTime {
  const line = readFileSync('/proc/stat', 'latin1')
    .split('\n')
    .find((text) => text.startsWith(`cpu${core} `))
  if (!line) throw new Error(`this machine has no core ${core}: the bench needs cores 0 and 1`)
  // user nice system idle iowait irq softirq steal; guest time is part of user already.
  const times = line.trim().split(/\s+/).slice(1, 9).map(Number)
  const total = times.reduce((sum, time) => sum + time, 0)
  const idle = (times[3] ?? 0) + (times[4] ?? 0)
  return { busy: (total - idle) / TICKS, total: total / TICKS }
}
