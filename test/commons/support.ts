/** A commons server in this process, a real redis-server, and a client that speaks RESP to either. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommonsLimits } from '../../src/commons/commons.ts'
import { CommonsServer } from '../../src/commons/server.ts'
import { encodeCommand, type Reply } from '../../src/wire/resp.ts'
import { ReplyDecoder } from '../../src/wire/resp-reply.ts'

export class Folder {
  readonly path: string

  constructor() {
    this.path = mkdtempSync(join(tmpdir(), 'commons-'))
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

export interface Running extends AsyncDisposable {
  readonly path: string
}

export interface Ours extends Running {
  readonly server: CommonsServer
  /** The socket that speaks memcached's protocol. */
  readonly memcached: string
  readonly complaints: readonly unknown[]
}

export async function ours(change: Partial<CommonsLimits> = {}): Promise<Ours> {
  const folder = new Folder()
  const path = join(folder.path, 'commons.sock')
  const complaints: unknown[] = []
  const server = new CommonsServer(
    { size: 64 * 1024 ** 2, item: 1024 ** 2, connections: 100, ...change },
    (error) => complaints.push(error),
  )
  const memcached = join(folder.path, 'memcached.sock')
  await server.listen('resp', { path })
  await server.listen('memcached', { path: memcached })
  return {
    path,
    memcached,
    server,
    complaints,
    async [Symbol.asyncDispose]() {
      server.close()
      folder[Symbol.dispose]()
    },
  }
}

export async function redis(): Promise<Running> {
  const folder = new Folder()
  const path = join(folder.path, 'redis.sock')
  const child = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', path, '--save', '', '--dir', folder.path],
    { stdio: 'ignore' },
  )
  const ended = new Promise((resolve) => child.once('close', resolve))
  await patiently(() => Client.connect(path).then((client) => client.end()))
  return {
    path,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      folder[Symbol.dispose]()
    },
  }
}

/** Tries until it succeeds. */
export async function patiently<Value>(what: () => Promise<Value>, ms = 10_000): Promise<Value> {
  const until = performance.now() + ms
  for (;;) {
    try {
      return await what()
    } catch (error) {
      if (performance.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

export class Client {
  readonly socket: Socket
  readonly #decoder = new ReplyDecoder({ bulk: 512 * 1024 ** 2, values: 10_000_000 })
  readonly #waiting: ((reply: Reply) => void)[] = []
  readonly #come: Reply[] = []
  readonly closed: Promise<void>

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()))
    socket.on('data', (chunk: Buffer) => {
      let at = 0
      while (at < chunk.length) {
        at = this.#decoder.decode(chunk, at, chunk.length)
        if (!this.#decoder.done) break
        const wanted = this.#waiting.shift()
        if (wanted === undefined) this.#come.push(this.#decoder.reply)
        else wanted(this.#decoder.reply)
      }
    })
  }

  static connect(path: string): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new Client(socket))
      })
    })
  }

  /** The next reply. */
  next(): Promise<Reply> {
    const come = this.#come.shift()
    if (come !== undefined) return Promise.resolve(come)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Arguments are text in latin-1. */
  ask(...args: readonly (string | number)[]): Promise<Reply> {
    this.send(...args)
    return this.next()
  }

  send(...args: readonly (string | number)[]): void {
    this.socket.write(encodeCommand(args.map(String)), 'latin1')
  }

  async end(): Promise<void> {
    this.socket.destroy()
    await this.closed
  }
}
