/** A visitor on one raw connection: says exactly what a test wants and reads answers when it wants. */
import { once } from 'node:events'
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

export interface Reply {
  readonly status: number
  /** By lower-case name; repeated fields are joined by a newline. */
  readonly fields: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly text: string
  /** Interim answers that came before. */
  readonly interim: readonly number[]
  /** When each chunk of a chunked body had come, on performance.now(). */
  readonly chunks: readonly number[]
}

export interface Ask {
  readonly method?: string
  readonly fields?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

/** The connection ended before the answer did. */
export class CutShort extends Error {}

export class Visitor {
  readonly socket: Socket
  #rest: Buffer[] = []
  #broken = ''

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#broken = error.code ?? error.message
    })
  }

  /** To a port of this machine, or to a unix socket. */
  static async to(where: number | string): Promise<Visitor> {
    const address: NetConnectOpts =
      typeof where === 'string' ? { path: where } : { host: '127.0.0.1', port: where }
    const socket = connect({ ...address, allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    return new Visitor(socket)
  }

  /** Over TLS, to a port of this machine. */
  static async secure(port: number, options: ConnectionOptions = {}): Promise<Visitor> {
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      rejectUnauthorized: false,
      ...options,
    })
    await once(socket, 'secureConnect')
    return new Visitor(socket)
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  /** Sends a whole body in chunks of `each` bytes. */
  sendChunks(body: Uint8Array, each: number): this {
    for (let at = 0; at < body.length; at += each) {
      const part = body.subarray(at, at + each)
      this.send(`${part.length.toString(16)}\r\n`)
        .send(part)
        .send('\r\n')
    }
    return this.send('0\r\n\r\n')
  }

  /** Sends a request and reads its answer. */
  ask(path: string, { method, fields = {}, body }: Ask = {}): Promise<Reply> {
    const verb = method ?? (body === undefined ? 'GET' : 'POST')
    const all: Record<string, string> = { Host: 'localhost', ...fields }
    if (body !== undefined) all['Content-Length'] ??= String(Buffer.byteLength(body))
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    this.send(`${verb} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
    if (body !== undefined) this.socket.write(body)
    return this.reply(verb)
  }

  /** Reads the next answer, to a request with `method`. */
  async reply(method = 'GET'): Promise<Reply> {
    const interim: number[] = []
    for (;;) {
      const status = Number((await this.#line()).split(' ')[1])
      const fields = await this.#fields()
      if (status >= 200)
        return { status, fields, interim, ...(await this.#body(method, status, fields)) }
      interim.push(status)
    }
  }

  /** Resolves when the server has closed its side; with what came before that and was not read. */
  async end(): Promise<Buffer> {
    const parts: Buffer[] = []
    for (;;) {
      const part = await this.#next()
      if (part === null) return Buffer.concat(parts)
      parts.push(part)
    }
  }

  /** Reads what has come, waiting for at least one byte; null at the end. Takes no more than that. */
  read(): Promise<Buffer | null> {
    return this.#next()
  }

  leave(): void {
    this.socket.destroy()
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }

  async #fields(): Promise<Record<string, string>> {
    const fields: Record<string, string> = {}
    for (let line = await this.#line(); line !== ''; line = await this.#line()) {
      const name = line.slice(0, line.indexOf(':')).toLowerCase()
      const value = line.slice(line.indexOf(':') + 1).trim()
      fields[name] = name in fields ? `${fields[name]}\n${value}` : value
    }
    return fields
  }

  async #body(
    method: string,
    status: number,
    fields: Record<string, string>,
  ): Promise<Pick<Reply, 'body' | 'text' | 'chunks'>> {
    const chunks: number[] = []
    const parts: Buffer[] = []
    if (method === 'HEAD' || status === 204 || status === 304) parts.length = 0
    else if (fields['transfer-encoding'] === 'chunked') {
      for (;;) {
        const size = Number.parseInt(await this.#line(), 16)
        parts.push(await this.#exactly(size))
        if (size > 0) chunks.push(performance.now())
        if ((await this.#line()) !== '') throw new Error('a chunk longer than it says')
        if (size === 0) break
      }
    } else if (fields['content-length'] !== undefined) {
      parts.push(await this.#exactly(Number(fields['content-length'])))
    } else parts.push(await this.end())
    const body = Buffer.concat(parts)
    return { body, chunks, text: body.toString() }
  }

  async #line(): Promise<string> {
    const parts: Buffer[] = []
    for (;;) {
      const part = await this.#next()
      if (part === null) throw this.#cut(parts)
      const whole = Buffer.concat([...parts.splice(0), part])
      const end = whole.indexOf('\r\n')
      if (end >= 0) {
        this.#giveBack(whole.subarray(end + 2))
        return whole.toString('latin1', 0, end)
      }
      parts.push(whole)
    }
  }

  async #exactly(length: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let missing = length; missing > 0; ) {
      const part = await this.#next()
      if (part === null) throw this.#cut(parts)
      parts.push(part.subarray(0, missing))
      if (part.length > missing) this.#giveBack(part.subarray(missing))
      missing -= Math.min(part.length, missing)
    }
    return Buffer.concat(parts)
  }

  #cut(parts: readonly Buffer[]): CutShort {
    const had = Buffer.concat(parts).toString('latin1', 0, 200)
    return new CutShort(
      `the connection ended (${this.#broken || 'FIN'}) after ${JSON.stringify(had)}`,
    )
  }

  #giveBack(part: Buffer): void {
    if (part.length > 0) this.#rest.unshift(part)
  }

  async #next(): Promise<Buffer | null> {
    const rest = this.#rest.shift()
    if (rest !== undefined) return rest
    const { socket } = this
    for (;;) {
      const chunk: Buffer | null = socket.read()
      if (chunk !== null) return chunk
      if (socket.readableEnded || socket.destroyed) return null
      await new Promise<void>((resolve) => {
        const done = (): void => {
          for (const event of ['readable', 'end', 'close']) socket.off(event, done)
          resolve()
        }
        for (const event of ['readable', 'end', 'close']) socket.on(event, done)
      })
    }
  }
}

/** One request on a connection of its own. */
export async function ask(where: number | string, path: string, request: Ask = {}): Promise<Reply> {
  using visitor = await Visitor.to(where)
  return await visitor.ask(path, request)
}
