/** Processes as /proc tells them. What a scenario starts carries a mark in its environment. */
import { readdirSync, readFileSync } from 'node:fs'

export interface Process {
  readonly pid: number
  readonly parent: number
  /** The command line, its arguments joined by spaces. */
  readonly command: string
  /** Resident memory, bytes. */
  readonly memory: number
  /** Real user id. */
  readonly user: number
  readonly group: number
}

/** The name of the variable that marks what a scenario has started. */
export const MARK = 'PORTICO_FLOW'

/** Every living process whose environment carries this mark, whoever its parent is by now. */
export function marked(mark: string): Process[] {
  const wanted = `${MARK}=${mark}\0`
  const found: Process[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const environment = read(`/proc/${name}/environ`)
    if (!environment.startsWith(wanted) && !environment.includes(`\0${wanted}`)) continue
    const process = lookAt(Number(name))
    if (process !== null) found.push(process)
  }
  return found
}

/** Null when it has ended, buried or not. */
export function lookAt(pid: number): Process | null {
  const status = read(`/proc/${pid}/status`)
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? ''
  if (status === '' || field('State') === 'Z' || field('State') === 'X') return null
  return {
    pid,
    parent: Number(field('PPid')),
    command: read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
    memory: Number(field('VmRSS')) * 1024,
    user: Number(field('Uid')),
    group: Number(field('Gid')),
  }
}

/** False when it is gone already. */
export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
