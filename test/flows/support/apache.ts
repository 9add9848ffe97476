/** Apache in the foreground, with a configuration and a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../supervisor/site.ts'
import { freePort } from './peers.ts'
import { kill } from './processes.ts'
import { Visitor } from './visitor.ts'

const MODULES = '/usr/lib/apache2/modules'

export class Apache {
  readonly port: number
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #log: string

  private constructor(port: number, modules: readonly string[], site: string) {
    this.port = port
    this.#folder = mkdtempSync(join(tmpdir(), 'portico-flow-apache-'))
    // Of a pipe or a socket it would not open /dev/stderr.
    this.#log = join(this.#folder, 'error.log')
    const file = join(this.#folder, 'apache.conf')
    const all = ['mpm_event', 'authz_core', ...modules]
    const load = all.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`)
    // As who it is: it must reach the sites' sockets.
    const user = process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''
    writeFileSync(
      file,
      `${load.join('\n')}
ServerRoot ${this.#folder}
DefaultRuntimeDir ${this.#folder}
PidFile ${this.#folder}/apache.pid
ServerName localhost
${user}
Listen 127.0.0.1:${port}
ErrorLog ${this.#log}
StartServers 2
ThreadsPerChild 32
MaxRequestWorkers 256
${site}
`,
    )
    this.#child = spawn('apache2', ['-f', file, '-D', 'FOREGROUND'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  }

  /** `modules` without `mod_` and `.so`, in the order in which they need each other. */
  static async serve(modules: readonly string[], site: string): Promise<Apache> {
    const apache = new Apache(await freePort(), modules, site)
    await until('Apache', async () => {
      if (apache.#child.exitCode !== null) throw new Error(apache.errors)
      const visitor = await Visitor.to(apache.port).catch(() => undefined)
      visitor?.leave()
      return visitor !== undefined
    })
    return apache
  }

  /** What it complained about. */
  get errors(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8') : ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && kill(this.#child.pid ?? 0, 'SIGTERM')) await ended
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
