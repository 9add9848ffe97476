/** The children of a process, as Linux tells them in /proc; elsewhere none. */
import { readFileSync } from 'node:fs'

export interface Child {
  readonly pid: number
  readonly uptimeMs: number
}

/** In the kernel's interface always this many (`USER_HZ`). */
const TICKS_PER_SECOND = 100
/** proc(5): the time at which the process started, in ticks after boot. */
const STARTED = 22
const PARENT = 4

export function childrenOf(pid: number): Child[] {
  const names = read(`/proc/${pid}/task/${pid}/children`).split(' ')
  const upSeconds = Number.parseFloat(read('/proc/uptime'))
  return names.flatMap((name) => {
    const child = Number(name)
    const started = Number(field(child, STARTED)) / TICKS_PER_SECOND
    const uptimeMs = Math.max(0, Math.round((upSeconds - started) * 1000))
    return child > 0 && !Number.isNaN(uptimeMs) ? [{ pid: child, uptimeMs }] : []
  })
}

/** Whether `pid` is a child of `parent` now; also where that cannot be told. */
export function isChild(pid: number, parent: number): boolean {
  const told = field(pid, PARENT)
  return told === '' ? process.platform !== 'linux' : Number(told) === parent
}

/** Counted from 1, as the manual does. */
function field(pid: number, number: number): string {
  const stat = read(`/proc/${pid}/stat`)
  // The second field is the program's name in parentheses and may itself hold any character.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[number - 3] ?? ''
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
