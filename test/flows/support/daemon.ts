/** A real server that a scenario plays with: in a folder of its own, and gone with the scenario. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../supervisor/site.ts'
import { kill } from './processes.ts'

export interface DaemonOptions {
  readonly name: string
  readonly command: (folder: string) => readonly [file: string, ...args: string[]]
  /** By name in its folder. */
  readonly files?: (folder: string) => Readonly<Record<string, string>>
  /** What else its folder needs. */
  readonly prepare?: (folder: string) => void
  /** Whether it serves. */
  readonly ready: () => Promise<boolean> | boolean
  /** Whom its folder belongs to. */
  readonly owner?: { readonly uid: number; readonly gid: number }
}

export class Daemon {
  readonly folder: string
  readonly #options: DaemonOptions
  #child: ChildProcess | null = null
  #err = ''

  private constructor(options: DaemonOptions) {
    this.#options = options
    this.folder = mkdtempSync(join(tmpdir(), `portico-flow-${options.name}-`))
    chmodSync(this.folder, 0o755)
    for (const [name, content] of Object.entries(options.files?.(this.folder) ?? {})) {
      writeFileSync(join(this.folder, name), content)
    }
    options.prepare?.(this.folder)
    if (options.owner) chownSync(this.folder, options.owner.uid, options.owner.gid)
  }

  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options)
    try {
      await daemon.start()
      return daemon
    } catch (error) {
      await daemon[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Anew after `stop`, too. */
  async start(): Promise<void> {
    const { name, command, ready } = this.#options
    const [file, ...args] = command(this.folder)
    const child = spawn(file, args, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child = child
    const hear = (chunk: Buffer): void => {
      this.#err = (this.#err + chunk).slice(-10_000)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    await until(
      name,
      async () => {
        if (child.exitCode !== null) throw new Error(`${name} ended: ${this.#err}`)
        return await ready()
      },
      20_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.#err}`)
    })
  }

  /** What it said last. */
  get said(): string {
    return this.#err
  }

  /** To it and whatever it has started. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child?.pid !== undefined) kill(-this.#child.pid, signal)
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    kill(-child.pid!, 'SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
