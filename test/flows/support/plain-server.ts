/** A server of plain connections behind a pool: does with each what the test says, and remembers them. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'

export class PlainServer {
  readonly #server: Server
  /** Those that are open. */
  readonly sockets: Set<Socket> = new Set()
  /** How many have come. */
  came = 0
  #port = 0

  constructor(serve: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.came++
      this.sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => this.sockets.delete(socket))
      serve(socket)
    })
  }

  static async start(serve: (socket: Socket) => void): Promise<PlainServer> {
    const server = new PlainServer(serve)
    await server.start()
    return server
  }

  /** Says everything back, and ends when the other side has. */
  static echo(): Promise<PlainServer> {
    return PlainServer.start((socket) => void socket.pipe(socket))
  }

  /** Says its name and what it was told, line by line. */
  static named(name: string): Promise<PlainServer> {
    return PlainServer.start((socket) => {
      socket.on('data', (chunk: Buffer) => socket.write(`${name} ${chunk.toString('latin1')}`))
      socket.on('end', () => socket.end())
    })
  }

  /** On the port it had before, if any. */
  async start(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.sockets) socket.destroy()
    await closed
  }
}
