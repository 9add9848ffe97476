/** What one process uses, as Linux tells it in /proc. */
import { readFileSync } from 'node:fs'

export interface ProcessFacts {
  /** Resident memory, bytes. */
  readonly rss: number
  /** Address space, bytes. */
  readonly vsz: number
  /** User and system time since its start, ms. */
  readonly cpuMs: number
}

export const unknownProcess: ProcessFacts = { rss: 0, vsz: 0, cpuMs: 0 }

/** In the kernel's interface always this many (`USER_HZ`). */
const MS_PER_TICK = 10
/** proc(5): `utime` and `stime` in /proc/PID/stat, counted from the field behind the program's name. */
const UTIME = 11
const STIME = 12

/** Zeros where there is no such process, or no /proc. */
export function processFacts(pid: number): ProcessFacts {
  if (pid <= 0) return unknownProcess
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    // The name stands in parentheses and may itself hold any character.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return {
      rss: kilobytes(status, 'VmRSS') * 1024,
      vsz: kilobytes(status, 'VmSize') * 1024,
      cpuMs: (Number(fields[UTIME]) + Number(fields[STIME])) * MS_PER_TICK,
    }
  } catch {
    return unknownProcess
  }
}

function kilobytes(status: string, name: string): number {
  const at = status.indexOf(`\n${name}:`)
  return at < 0 ? 0 : Number.parseInt(status.slice(at + name.length + 2), 10)
}
