/** A visitor on a real socket who says exactly what a test wants, and reads when it wants. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Answer, readAnswers } from './answers.ts'

export class Visitor {
  readonly socket: Socket
  #received: Buffer[] = []
  /** The server has closed its side in order. */
  ended = false
  /** The socket is gone. */
  closed = false
  /** `ECONNRESET` and the like, '' for none. */
  broken = ''

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (bytes: Buffer) => this.#received.push(bytes))
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.broken = error.code ?? error.message
    })
    socket.on('close', () => {
      this.closed = true
    })
  }

  static async at(port: number): Promise<Visitor> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    return new Visitor(socket)
  }

  get received(): Buffer {
    return Buffer.concat(this.#received)
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  /** Sends and waits until the kernel has it. */
  async sent(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => {
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, () =>
        resolve(),
      )
    })
  }

  /** Closes this side alone. */
  end(): this {
    this.socket.end()
    return this
  }

  /** Leaves with a reset. */
  reset(): void {
    this.socket.resetAndDestroy()
  }

  leave(): void {
    this.socket.destroy()
  }

  /** Waits for `count` answers (interim ones count) to requests with `methods`, or for the end. */
  async answers(count: number, methods: readonly string[] = []): Promise<Answer[]> {
    for (;;) {
      const { answers } = readAnswers(this.received, methods, this.ended)
      if (answers.length >= count || this.closed || this.ended) return answers
      await this.#something()
    }
  }

  async answer(method = 'GET'): Promise<Answer> {
    const [answer] = await this.answers(1, [method])
    if (answer === undefined) throw new Error(`no answer but ${this.received.toString('latin1')}`)
    return answer
  }

  /** Waits until the server has closed its side, or the socket is gone. */
  async serverEnd(): Promise<void> {
    while (!this.ended && !this.closed) await this.#something()
  }

  async gone(): Promise<void> {
    while (!this.closed) await this.#something()
  }

  #something(): Promise<void> {
    return new Promise((resolve) => {
      const { socket } = this
      const done = (): void => {
        for (const event of ['data', 'end', 'close'] as const) socket.off(event, done)
        resolve()
      }
      for (const event of ['data', 'end', 'close'] as const) socket.once(event, done)
    })
  }
}

/** Waits until `condition` holds; fails after `ms`. */
export async function until(condition: () => boolean, ms = 5000): Promise<void> {
  const end = Date.now() + ms
  while (!condition()) {
    if (Date.now() > end) throw new Error('it did not come to pass')
    await sleep(5)
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
