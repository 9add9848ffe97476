/** The whole Portico that is soaked, on the servers' core. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askAdmin } from '../../src/supervisor/ask-admin.ts'
import type { ReloadResult, SiteStatus } from '../../src/supervisor/status.ts'
import { grandchildren, tree } from '../harness/proc.ts'
import { hasEnded, SERVER_CORE, type Started, signal, start } from '../harness/processes.ts'
import { PORTICO } from '../rivals/portico.ts'

const READY_MS = 60_000
/** From SIGTERM until the last of its processes has ended. */
const STOP_MS = 60_000

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly app?: string
  readonly pid?: number
}

export class Soaked {
  readonly folder: string
  readonly #log: string
  readonly #started: Started

  /** Serves the site in `folder`. */
  constructor(folder: string, env: Readonly<Record<string, string>> = {}) {
    this.folder = folder
    this.#log = join(folder, 'log')
    const argv = [process.execPath, PORTICO, 'serve', 'site.yaml']
    const own = { TMPDIR: join(folder, 'tmp'), ...env }
    this.#started = start({ argv, cwd: folder, env: own }, String(SERVER_CORE), this.#log)
  }

  get pid(): number {
    return this.#started.pid
  }

  get isOver(): boolean {
    return hasEnded(this.#started)
  }

  /** Lines of the log; those that are no JSON have the level `raw`. */
  log(): LogLine[] {
    return readFileSync(this.#log, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (line.startsWith('{') ? JSON.parse(line) : { level: 'raw', message: line }))
  }

  /** Resolves when every worker of every application is linked to the server. */
  async settled(): Promise<SiteStatus> {
    const deadline = performance.now() + READY_MS
    for (;;) {
      const status = await this.status().catch(() => null)
      const apps = Object.values(status?.apps ?? {})
      const all = apps.every(({ connected, wanted = 1 }) => connected >= wanted)
      if (status !== null && status.phase === 'ready' && apps.length > 0 && all) return status
      if (this.isOver || performance.now() > deadline) {
        throw new Error(`it does not serve:\n${this.#started.output()}`)
      }
      await sleep(100)
    }
  }

  async status(): Promise<SiteStatus> {
    return JSON.parse((await this.#ask('GET', '/status')).body)
  }

  async reload(path: string): Promise<ReloadResult> {
    return JSON.parse((await this.#ask('POST', path)).body)
  }

  #ask(method: string, path: string): ReturnType<typeof askAdmin> {
    return askAdmin(join(this.folder, 'admin.sock'), method, path)
  }

  /** The processes of all workers, of whatever generation: children of warm parents. */
  workers(): number[] {
    return grandchildren(this.pid)
  }

  /** Stops it as an operator does; resolves with what is left behind. */
  async stop(): Promise<string[]> {
    const { commonsSocket } = await this.status()
    const family = tree([this.pid])
    signal(this.pid, 'SIGTERM')
    const deadline = performance.now() + STOP_MS
    while (!this.isOver && performance.now() < deadline) await sleep(50)
    const left: string[] = []
    if (!this.isOver) left.push(`it has not ended after ${STOP_MS / 1000} s`)
    const living = tree(family.filter((pid) => runsIn(pid, this.folder)))
    if (living.length > 0) left.push(`processes ${living.join(' ')}`)
    for (const folder of [dirname(commonsSocket), join(this.folder, 'admin.sock')]) {
      if (existsSync(folder)) left.push(folder)
    }
    left.push(...readdirSync(join(this.folder, 'tmp')).map((name) => `tmp/${name}`))
    return left
  }
}

/** Numbers of processes are given again: one of ours says so in its environment. */
function runsIn(pid: number, folder: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`TMPDIR=${folder}/tmp`)
  } catch {
    return false
  }
}
