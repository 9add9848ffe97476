/** The pid file: refused while another lives by it, written once we are ready, removed at the end. */
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { isAlive } from '../system/alive.ts'

/** /proc counts in hundredths of a second on every Linux. */
const TICKS_PER_SECOND = 100
/** The kernel's and the file system's clocks differ a little, ms. */
const CLOCK_SLACK_MS = 2_000

/** Throws when the process that `path` names is alive. A stale file is no obstacle. */
export function refuseLivePidFile(path: string): void {
  const pid = readPid(path)
  if (pid === 0 || pid === process.pid || !isAlive(pid) || startedAfter(pid, path)) return
  throw new Error(
    `already running: ${path} names process ${pid}, which is alive; stop it first, or choose another pid file`,
  )
}

/** The number in the file; 0 without one. */
export function readPid(path: string): number {
  try {
    const text = readFileSync(path, 'utf8').trim()
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0
  } catch {
    return 0
  }
}

/** A process that began after the file was written is not the one that wrote it: its id was reused. */
function startedAfter(pid: number, path: string): boolean {
  const started = startTime(pid)
  return started !== null && started > statSync(path).mtimeMs + CLOCK_SLACK_MS
}

/** When a process started, ms since the epoch; null where /proc does not tell. */
function startTime(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in parentheses and may itself hold any character.
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
    return Date.now() - (uptime - ticks / TICKS_PER_SECOND) * 1000
  } catch {
    return null
  }
}

/** Whole or not at all: a reader never sees half a number. */
export function writePidFile(path: string): void {
  const draft = `${path}.${process.pid}`
  const fd = openSync(draft, 'w', 0o644)
  try {
    writeSync(fd, `${process.pid}\n`)
  } finally {
    closeSync(fd)
  }
  renameSync(draft, path)
}

/** Removes the file if it is still ours. */
export function removePidFile(path: string): void {
  if (readPid(path) === process.pid) unlinkSync(path)
}
