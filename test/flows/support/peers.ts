/** Other programs that a scenario plays with: nginx before Portico, wrk as its load. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../../supervisor/site.ts'
import { run } from './portico.ts'
import { kill } from './processes.ts'
import { Visitor } from './visitor.ts'

/** A port that was free a moment ago, for programs that cannot say which one the kernel chose. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** nginx in the foreground, with its own folder. */
export class Nginx {
  readonly port: number
  readonly #folder: string
  readonly #child: ChildProcess
  #err = ''

  private constructor(port: number, http: string) {
    this.port = port
    this.#folder = mkdtempSync(join(tmpdir(), 'portico-flow-nginx-'))
    const file = join(this.#folder, 'nginx.conf')
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    // As who it is: its worker must reach this folder and the sites' sockets.
    const user = process.getuid?.() === 0 ? 'user root; ' : ''
    writeFileSync(
      file,
      `${user}daemon off; worker_processes 1; pid nginx.pid; error_log stderr;
events { worker_connections 512; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${name};`).join(' ')}
  ${http}
}
`,
    )
    this.#child = spawn('nginx', ['-p', this.#folder, '-c', file, '-e', 'stderr'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#err += chunk
    })
  }

  /** `http` makes the http block from the port to listen on. */
  static async serve(http: (port: number) => string): Promise<Nginx> {
    const port = await freePort()
    const nginx = new Nginx(port, http(port))
    await until('nginx', async () => {
      if (nginx.#child.exitCode !== null) throw new Error(nginx.#err)
      const visitor = await Visitor.to(port).catch(() => undefined)
      visitor?.leave()
      return visitor !== undefined
    })
    return nginx
  }

  /** What it complained about. */
  get errors(): string {
    return this.#err
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    // QUIT would wait for connections; its worker goes with it.
    if (this.#child.exitCode === null && kill(this.#child.pid ?? 0, 'SIGTERM')) await ended
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export interface WrkResult {
  readonly requests: number
  /** Answers that are not 2xx or 3xx. */
  readonly bad: number
  /** Connections that failed in any way. */
  readonly socketErrors: number
}

export async function wrk(url: string, ...args: readonly string[]): Promise<WrkResult> {
  const { code, out, err } = await run('wrk', ['-t1', ...args, url])
  if (code !== 0) throw new Error(`wrk: ${err}${out}`)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(out)
  return {
    requests: Number(/(\d+) requests in/.exec(out)?.[1]),
    bad: Number(/Non-2xx or 3xx responses: (\d+)/.exec(out)?.[1] ?? 0),
    socketErrors: (errors?.slice(1) ?? []).reduce((sum, count) => sum + Number(count), 0),
  }
}
