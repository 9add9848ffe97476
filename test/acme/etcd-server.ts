/** A real etcd in a folder and on ports of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask } from '../../src/acme/ask.ts'
import { freePort } from '../flows/support/peers.ts'
import { until } from '../supervisor/site.ts'

export class EtcdServer {
  readonly port: number
  readonly #peerPort: number
  readonly #folder = mkdtempSync(join(tmpdir(), 'portico-etcd-'))
  #child: ChildProcess | null = null

  private constructor(port: number, peerPort: number) {
    this.port = port
    this.#peerPort = peerPort
  }

  static async start(): Promise<EtcdServer> {
    const server = new EtcdServer(await freePort(), await freePort())
    try {
      await server.start()
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  get host(): string {
    return `127.0.0.1:${this.port}`
  }

  async start(): Promise<void> {
    const peer = `http://127.0.0.1:${this.#peerPort}`
    const client = `http://${this.host}`
    this.#child = spawn(
      'etcd',
      [
        ...['--data-dir', this.#folder, '--name', 'one', '--initial-cluster', `one=${peer}`],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--unsafe-no-fsync'],
      ],
      { stdio: 'ignore' },
    )
    await until('etcd', () => this.#isHealthy(), 20_000)
  }

  async #isHealthy(): Promise<boolean> {
    const url = `http://${this.host}/health`
    const answer = await ask(url, { method: 'GET', timeoutMs: 1_000 }).catch(() => null)
    return answer?.body.toString().includes('true') === true
  }

  /** As etcdctl does it. */
  async post(path: string, body: unknown): Promise<unknown> {
    const url = `http://${this.host}/v3/${path}`
    const answer = await ask(url, { method: 'POST', body: JSON.stringify(body), timeoutMs: 5_000 })
    return JSON.parse(answer.body.toString())
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
