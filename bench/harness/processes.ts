/** Starting and stopping processes on a chosen core. Whatever was started here ends with the bench. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { tree } from './proc.ts'
import type { Command } from './rival.ts'

export const SERVER_CORE = 0
export const LOAD_CORE = 1

/** How long a process may take to end on SIGTERM before it is killed, in ms. */
const STOP_MS = 5000

export interface Started {
  readonly pid: number
  readonly child: ChildProcess
  /** Its output so far. */
  output(): string
}

const alive = new Set<Started>()

/** Starts a command on the given cores (`0`, `0,1`), which its children inherit. Its output goes to the file `log`. */
export function start(command: Command, cores: string, log: string): Started {
  const out = openSync(log, 'a')
  const child = spawn('taskset', ['-c', cores, ...command.argv], {
    cwd: command.cwd,
    env: { ...process.env, ...command.env },
    stdio: ['ignore', out, out],
    detached: true,
  })
  closeSync(out)
  child.on('error', () => {})
  const started: Started = {
    pid: child.pid ?? 0,
    child,
    output: () => readFileSync(log, 'utf8').slice(-4000),
  }
  if (started.pid === 0) throw new Error(`cannot start ${command.argv.join(' ')}`)
  alive.add(started)
  return started
}

export function hasEnded(started: Started): boolean {
  return started.child.exitCode !== null || started.child.signalCode !== null
}

/** SIGTERM, then SIGKILL for whatever of the tree is left after the bound. */
export async function stop(all: readonly Started[]): Promise<void> {
  // Kept from before: a descendant whose parent has ended is no longer found below it.
  const family = tree(all.map((started) => started.pid))
  for (const started of [...all].reverse()) signal(started.pid, 'SIGTERM')
  const deadline = Date.now() + STOP_MS
  while (Date.now() < deadline && family.some(isAlive)) await sleep(20)
  for (const pid of family) signal(pid, 'SIGKILL')
  for (const started of all) alive.delete(started)
}

/** For a bench that is interrupted: no time to ask politely. */
export function killEverything(): void {
  for (const pid of tree([...alive].map((started) => started.pid))) signal(pid, 'SIGKILL')
  alive.clear()
}

export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch {
    return false
  }
}

/** Keeps the bench itself off the servers' core. */
export function pinSelf(): void {
  execFileSync('taskset', ['-apc', String(LOAD_CORE), String(process.pid)], { stdio: 'ignore' })
}
