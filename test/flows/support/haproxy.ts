/** HAProxy in the foreground, with its own folder. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../supervisor/site.ts'
import { freePort } from './peers.ts'
import { kill } from './processes.ts'
import { Visitor } from './visitor.ts'

export class Haproxy {
  readonly port: number
  readonly #folder: string
  readonly #child: ChildProcess
  #err = ''

  private constructor(port: number, config: string) {
    this.port = port
    this.#folder = mkdtempSync(join(tmpdir(), 'portico-flow-haproxy-'))
    const file = join(this.#folder, 'haproxy.cfg')
    writeFileSync(file, config)
    this.#child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#err += chunk
    })
  }

  /**
   * Passes connections to its port on to `server`, an address with the options of a `server` line; `bind`:
   * options of its own.
   */
  static async tcp(server: string, bind = ''): Promise<Haproxy> {
    const port = await freePort()
    const haproxy = new Haproxy(
      port,
      `global
  nbthread 1
defaults
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen front
  mode tcp
  bind 127.0.0.1:${port}${bind}
  server portico ${server}
`,
    )
    await until('haproxy', async () => {
      if (haproxy.#child.exitCode !== null) throw new Error(haproxy.#err)
      const visitor = await Visitor.to(port).catch(() => undefined)
      visitor?.leave()
      return visitor !== undefined
    })
    return haproxy
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && kill(this.#child.pid ?? 0, 'SIGTERM')) await ended
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
