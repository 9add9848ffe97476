/** Real brokers, each in a folder and on a port of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../flows/support/peers.ts'
import { run } from '../flows/support/portico.ts'
import { until } from '../supervisor/site.ts'

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', () => resolve()))
}

/** A Redis that keeps what it is told before it answers. */
export class RedisServer {
  readonly port: number
  readonly url: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'portico-redis-'))
  readonly #more: readonly string[]
  #child: ChildProcess | null = null

  private constructor(port: number, more: readonly string[]) {
    this.port = port
    this.url = `redis://127.0.0.1:${port}/0`
    this.#more = more
  }

  static async start(...more: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), more)
    await server.start()
    return server
  }

  async start(): Promise<void> {
    const settings = ['--bind', '127.0.0.1', '--dir', this.#folder, '--save', '']
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always']
    const args = ['--port', String(this.port), ...settings, ...durable, ...this.#more]
    this.#child = spawn('redis-server', args, { stdio: 'ignore' })
    await until('redis', async () => (await this.cli('PING')).trim() === 'PONG')
  }

  async cli(...args: readonly string[]): Promise<string> {
    return (await run('redis-cli', ['-p', String(this.port), ...args])).out
  }

  /** By kill -9, unless told otherwise. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === null) return
    child.kill(signal)
    await ended(child)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
