/** What goes on while visitors are served: reloads in turn, workers killed. */
import { readdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { signal } from '../harness/processes.ts'
import type { Soaked } from './portico.ts'
import { APP_NAMES, writeVersion } from './site.ts'

export interface Kill {
  readonly pid: number
  /** ms since the epoch. */
  readonly at: number
  /** When the kernel had closed its sockets: a busy machine takes its time. As `at`. */
  readonly gone: number
}

export interface Reload {
  readonly kind: 'the site' | 'one application' | 'rolling'
  readonly path: string
  readonly tookMs: number
  /** '' when it was done, and the new code answered. */
  readonly trouble: string
}

export class Disturbing {
  readonly #portico: Soaked
  readonly #port: number
  readonly kills: Kill[] = []
  readonly reloads: Reload[] = []
  #stopping = false
  #running: readonly Promise<void>[] = []
  #version = 1

  /** `whole`: reloads of the whole site are among the others, each with a server process of its own. */
  constructor(portico: Soaked, port: number, whole: boolean, reloadMs: number, killMs: number) {
    this.#portico = portico
    this.#port = port
    const apps = APP_NAMES.map((app) => `/reload?app=${app}`)
    // In turn: the site, one application, one application worker by worker.
    const turns = apps.flatMap((one) => [...(whole ? ['/reload'] : []), one, `${one}&rolling=1`])
    let turn = 0
    this.#running = [
      this.#every(reloadMs, () => this.#reload(turns[turn++ % turns.length]!)),
      this.#every(killMs, () => this.#kill()),
    ]
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all(this.#running)
  }

  async #every(ms: number, act: () => Promise<void>): Promise<void> {
    for (let next = Date.now() + ms; ; next = Math.max(next + ms, Date.now())) {
      while (Date.now() < next) {
        if (this.#stopping) return
        await sleep(Math.min(100, next - Date.now()))
      }
      await act()
    }
  }

  async #kill(): Promise<void> {
    const workers = this.#portico.workers()
    const victim = workers[Math.floor(Math.random() * workers.length)]
    if (victim === undefined) return
    // Before, so that nothing which comes of it is older.
    const at = Date.now()
    if (!signal(victim, 'SIGKILL')) return
    while (holdsSockets(victim)) await sleep(1)
    this.kills.push({ pid: victim, at, gone: Date.now() })
  }

  /** Asks for it, and then asks the applications: whoever hears that it is done must not meet the old. */
  async #reload(path: string): Promise<void> {
    writeVersion(this.#portico.folder, ++this.#version)
    const startedAt = performance.now()
    let trouble = ''
    try {
      const { ok, message } = await this.#portico.reload(path)
      if (!ok) trouble = message.split('\n', 1)[0]!
    } catch (error) {
      trouble = String(error)
    }
    const tookMs = performance.now() - startedAt
    const [, only] = /app=(\w+)/.exec(path) ?? []
    for (const app of APP_NAMES) {
      if (trouble !== '' || (only !== undefined && only !== app)) continue
      const version = await this.#versionOf(app)
      if (version < this.#version) {
        trouble = `${app} still answers with version ${version} instead of ${this.#version}`
      }
    }
    const kind =
      only === undefined ? 'the site' : path.endsWith('=1') ? 'rolling' : 'one application'
    this.reloads.push({ kind, path, tookMs, trouble })
  }

  /** That answers now; its worker may just be killed. */
  async #versionOf(app: string): Promise<number> {
    for (let left = 20; ; left--) {
      const text = await fetchText(`http://127.0.0.1:${this.#port}/${app}?more=0`)
      const version = Number(/ v(\d+) /.exec(text)?.[1])
      if (version > 0 || left === 0) return version || 0
    }
  }
}

/** False once it has no thread but a dead one. */
function holdsSockets(pid: number): boolean {
  try {
    if (readdirSync(`/proc/${pid}/task`).length > 1) return true
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(')')))
  } catch {
    return false
  }
}

function fetchText(url: string): Promise<string> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 30_000 }, (response) => {
      let text = ''
      response.setEncoding('latin1')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', () => resolve(text))
      response.on('end', () => resolve(text))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(''))
  })
}
