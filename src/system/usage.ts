/** What processes use, as Linux tells it in /proc: for applications without a control group. */
import { readFileSync } from 'node:fs'
import type { Usage } from './cgroup.ts'

/** In the kernel's interface always this many (`USER_HZ`). */
const MS_PER_TICK = 10
/** proc(5), counted behind the program's name, which may itself hold any character. */
const USER_TIME = 11
const KERNEL_TIME = 12
const RESIDENT_PAGES = 21
const PAGE = 4096
/** A tree that is larger is not walked to its end. */
const MOST = 10_000

/**
 * All processes below `root`, and `root` itself. Memory that they share is counted for each of them, and
 * the time of those that have ended is not: control groups know better. Null where nothing can be told.
 */
export function usageOfTree(root: number): Usage | null {
  if (root === 0 || process.platform !== 'linux') return null
  let [memory, cpuMs, processes] = [0, 0, 0]
  const waiting = [root]
  for (let pid = waiting.pop(); pid !== undefined && processes < MOST; pid = waiting.pop()) {
    const stat = read(`/proc/${pid}/stat`)
    if (stat === '') continue
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    processes++
    memory += Number(fields[RESIDENT_PAGES]) * PAGE
    cpuMs += (Number(fields[USER_TIME]) + Number(fields[KERNEL_TIME])) * MS_PER_TICK
    for (const child of read(`/proc/${pid}/task/${pid}/children`).split(' ')) {
      if (child !== '') waiting.push(Number(child))
    }
  }
  return processes === 0 ? null : { memory, cpuMs, processes }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
