/** An nginx of one process behind a pool, which a scenario kills, freezes and starts again on its port. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../supervisor/site.ts'
import { freePort } from './peers.ts'
import { kill } from './processes.ts'
import { ask } from './visitor.ts'

export class NginxServer {
  readonly name: string
  readonly port: number
  readonly #folder: string
  #child: ChildProcess | null = null

  private constructor(name: string, port: number) {
    this.name = name
    this.port = port
    this.#folder = mkdtempSync(join(tmpdir(), 'portico-nginx-'))
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    writeFileSync(
      join(this.#folder, 'nginx.conf'),
      `daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000;
  ${temporary.map((path) => `${path}_temp_path ${path};`).join(' ')}
  server {
    listen 127.0.0.1:${port};
    location / { return 200 "${name}"; }
  }
}
`,
    )
  }

  /** Several, each of which answers with its name. */
  static async start(...names: readonly string[]): Promise<NginxServer[]> {
    const servers: NginxServer[] = []
    for (const name of names) servers.push(new NginxServer(name, await freePort()))
    await Promise.all(servers.map((server) => server.start()))
    return servers
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const args = ['-p', this.#folder, '-c', join(this.#folder, 'nginx.conf'), '-e', 'stderr']
    const child = spawn('nginx', args, { stdio: 'ignore' })
    this.#child = child
    await until(`nginx ${this.name}`, async () => {
      if (child.exitCode !== null) throw new Error('nginx ended')
      return (await ask(this.port, '/').catch(() => undefined))?.text === this.name
    })
  }

  get runs(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === null || !this.runs) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    kill(child.pid ?? 0, signal)
    await ended
  }

  /** It keeps its sockets, and does nothing. */
  freeze(): void {
    kill(this.#child?.pid ?? 0, 'SIGSTOP')
  }

  thaw(): void {
    kill(this.#child?.pid ?? 0, 'SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
