/**
 * The whole real Portico in a scenario: `bin/portico serve` in a folder of its own, its log, its
 * processes. However a test ends, nothing of it is left.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterAll, afterEach } from 'vitest'
import type { SiteStatus } from '../../../src/supervisor/status.ts'
import { until } from '../../supervisor/site.ts'
import { autopsy } from './autopsy.ts'
import { kill, MARK, marked, type Process } from './processes.ts'

/** Debian's Python: the one with the frameworks. */
export const PYTHON = '/usr/bin/python3'
/** Applications that several scenarios share. */
export const APPS: string = new URL('../apps', import.meta.url).pathname

const LAUNCHER = new URL('../../../bin/portico', import.meta.url).pathname
/** Where a site keeps what outlives it, unless it says otherwise. */
const STATES = '/var/lib/portico'
/** From the start to the first answer, on a busy machine, ms. */
const READY_MS = 30_000
const STOP_MS = 15_000
const TIMED_OUT = 'Test timed out'

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly app?: string
  readonly pid?: number
  readonly urls?: string
  /** The path of the admin socket. */
  readonly admin?: string
}

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface Options {
  /** What to serve; `site.yaml` by default. */
  readonly target?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** In place of `serve TARGET`. */
  readonly command?: readonly string[]
  /** Fills the folder; returns more of the environment. */
  readonly prepare?: (folder: string) => Readonly<Record<string, string>>
}

const living = new Set<Portico>()
// A test that ran out of time has not disposed of what it started.
afterAll(() => Promise.all([...living].map((one) => one[Symbol.asyncDispose]())))
// Before that: what it is hung in.
afterEach(async ({ task }) => {
  if (task.result?.errors?.some(({ message }) => message.startsWith(TIMED_OUT)) !== true) return
  for (const one of living) console.error(await autopsy(one))
})

export class Portico {
  readonly folder: string
  /** Lines that are no JSON have the level `raw`. */
  readonly log: LogLine[] = []
  /** Everything on stdout: the access log. */
  out = ''
  readonly exited: Promise<{ code: number | null; signal: string | null }>
  readonly #child: ChildProcess
  readonly #target: string
  readonly #mark: string
  readonly #env: NodeJS.ProcessEnv
  #rest = ''

  /** Writes `files` into a new folder and starts to serve it. */
  constructor(files: Readonly<Record<string, string | Uint8Array>>, options: Options = {}) {
    const { target = 'site.yaml', args = [], env = {}, command = ['serve', target] } = options
    this.folder = mkdtempSync(join(tmpdir(), 'portico-flow-'))
    this.#target = target
    this.#mark = this.folder
    const more = options.prepare?.(this.folder)
    this.#env = { ...process.env, ...env, ...more, [MARK]: this.#mark }
    for (const [name, content] of Object.entries(files)) this.write(name, content)
    this.#child = spawn(process.execPath, [LAUNCHER, ...command, ...args], {
      cwd: this.folder,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    living.add(this)
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#read(chunk.toString()))
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.out += chunk
    })
    this.exited = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => resolve({ code, signal }))
    })
  }

  /** The same, and waits until it serves. */
  static async serve(
    files: Readonly<Record<string, string | Uint8Array>>,
    options: Options = {},
  ): Promise<Portico> {
    const portico = new Portico(files, options)
    try {
      await portico.ready()
      return portico
    } catch (error) {
      await portico[Symbol.asyncDispose]()
      throw error
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Of the first listener. */
  get port(): number {
    return Number(new URL(this.urls[0] ?? '').port)
  }

  get urls(): string[] {
    return this.log.findLast((line) => line.urls !== undefined)?.urls?.split(' ') ?? []
  }

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    return path
  }

  /** Resolves once the site serves. */
  async ready(): Promise<void> {
    await until(
      `the site to be served; its log:\n${JSON.stringify(this.log, null, 1)}`,
      () => {
        if (this.#child.exitCode === null && this.#child.signalCode === null) return this.urls[0]
        throw new Error(`it ended: ${this.messages}`)
      },
      READY_MS,
    )
  }

  /** The log's messages as one text. */
  get messages(): string {
    return this.log.map((line) => line.message).join('\n')
  }

  /** The first matching line of the log after line `from`. */
  async logged(pattern: RegExp, from = 0, ms = 10_000): Promise<LogLine> {
    try {
      return await until(
        'the log',
        () => this.log.slice(from).find((line) => pattern.test(line.message)),
        ms,
      )
    } catch {
      throw new Error(`the log does not match ${pattern}:\n${this.messages}`)
    }
  }

  /** Runs a command of Portico's to its end, in the site's folder. */
  async run(command: string, ...more: readonly string[]): Promise<Ran> {
    return portico([command, this.#target, ...more], { cwd: this.folder, env: this.#env })
  }

  async status(): Promise<SiteStatus> {
    const { code, out, err } = await this.run('status', '--json')
    if (code !== 0) throw new Error(`no status: ${err}`)
    return JSON.parse(out)
  }

  /** Waits until every worker of every application is linked to the server. */
  async settled(): Promise<SiteStatus> {
    return until(
      `every worker; the log:\n${this.messages}`,
      async () => {
        const status = await this.status()
        const apps = Object.values(status.apps)
        const all = apps.every(
          ({ connected, workers, wanted = 1 }) =>
            connected > 0 && connected === workers.length && connected >= wanted,
        )
        return all && status
      },
      READY_MS,
    )
  }

  /** Every living process of the site, the supervisor included. */
  processes(): Process[] {
    return marked(this.#mark)
  }

  signal(signal: NodeJS.Signals): void {
    kill(this.pid, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!living.delete(this)) return
    this.signal('SIGTERM')
    const timer = setTimeout(() => {
      for (const process of this.processes()) kill(process.pid)
    }, STOP_MS)
    await this.exited
    clearTimeout(timer)
    for (const process of this.processes()) kill(process.pid)
    // One that was killed could not remove its own.
    for (const { admin } of this.log) if (admin !== undefined) rmSync(admin, { force: true })
    for (const state of globSync(join(STATES, `${basename(this.folder)}-*`))) {
      rmSync(state, { recursive: true, force: true })
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      this.log.push(line.startsWith('{') ? JSON.parse(line) : { level: 'raw', message: line })
    }
  }
}

/** Runs the command to its end, without holding up this process. */
export function portico(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Ran> {
  return run(process.execPath, [LAUNCHER, ...args], options)
}

/** Runs any program to its end; kills it after 30 s. */
export function run(
  file: string,
  args: readonly string[],
  options: {
    readonly cwd?: string
    readonly env?: NodeJS.ProcessEnv
    readonly input?: string | Uint8Array
  } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const { input = '', ...where } = options
    const child = spawn(file, args, { ...where, timeout: 30_000, killSignal: 'SIGKILL' })
    let out = ''
    let err = ''
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      out += text
    })
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}
