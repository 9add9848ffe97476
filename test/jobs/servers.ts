/** Real brokers, each in a folder and on a port of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
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

/** A RabbitMQ, its node and its distribution port its own. Starting takes it seconds. */
export class RabbitServer {
  readonly url: string
  readonly #port: number
  readonly #distribution: number
  /** Of epmd, which maps Erlang's node names to ports: our own, so that none outlives us. */
  readonly #names: number
  readonly #epmd: ChildProcess
  readonly #folder = mkdtempSync(join(tmpdir(), 'portico-rabbit-'))
  #child: ChildProcess | null = null
  #said = ''

  private constructor(port: number, distribution: number, names: number) {
    this.#port = port
    this.#distribution = distribution
    this.#names = names
    this.#epmd = spawn('epmd', ['-address', '127.0.0.1', '-port', String(names)], {
      stdio: 'ignore',
    })
    this.url = `amqp://127.0.0.1:${port}`
  }

  static async start(): Promise<RabbitServer> {
    const server = new RabbitServer(await freePort(), await freePort(), await freePort())
    await server.start()
    return server
  }

  async start(): Promise<void> {
    const folder = this.#folder
    writeFileSync(join(folder, 'plugins'), '[].')
    writeFileSync(
      join(folder, 'rabbitmq.conf'),
      'log.console = false\ndisk_free_limit.absolute = 10MB\nvm_memory_high_watermark.absolute = 512MB\n',
    )
    this.#child = spawn('/usr/lib/rabbitmq/bin/rabbitmq-server', [], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Its own process group: the shell around Erlang does not hand signals on.
      detached: true,
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        RABBITMQ_NODENAME: `portico${this.#port}@localhost`,
        RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
        RABBITMQ_NODE_PORT: String(this.#port),
        RABBITMQ_DIST_PORT: String(this.#distribution),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-start_epmd false +S 1:1 +sbwt none',
        RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
        RABBITMQ_LOG_BASE: join(folder, 'log'),
        RABBITMQ_LOGS: join(folder, 'log', 'rabbit.log'),
        RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
        RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
        RABBITMQ_PID_FILE: join(folder, 'pid'),
        ERL_EPMD_PORT: String(this.#names),
      },
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#said += chunk
      })
    }
    await until('rabbitmq', () => this.#answers(), 60_000)
  }

  /** It says AMQP back once it has started; before, the port is closed. */
  #answers(): Promise<boolean> {
    if (this.#child?.exitCode !== null) throw new Error(`rabbitmq ended: ${this.#said}`)
    return new Promise((resolve) => {
      const socket = connect(this.#port, '127.0.0.1')
      socket.once('connect', () => socket.write('AMQP\x00\x00\x09\x01', 'latin1'))
      socket.once('data', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
  }

  /** By kill -9 of all its processes. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const end = ended(child)
    process.kill(-child.pid, 'SIGKILL')
    await end
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    this.#epmd.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
