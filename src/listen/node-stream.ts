/** The same as LightStream on a net.Socket, for a Node whose handles are not as we know them. */
import type { Socket } from 'node:net'
import type { ByteStream, Connection } from './byte-stream.ts'

export class NodeStream implements ByteStream {
  trouble = ''
  readonly #socket: Socket

  /** `socket` has to have a writableHighWaterMark of 1, so that 'drain' means "all has left". */
  constructor(socket: Socket) {
    this.#socket = socket
  }

  start(connection: Connection): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => {
      if (!connection.read(chunk, chunk.length)) socket.pause()
    })
    socket.on('end', () => connection.ended())
    socket.on('drain', () => connection.drained())
    socket.on('close', () => connection.closed())
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.trouble = error.code ?? error.message
    })
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress
  }

  get localPort(): number | undefined {
    return this.#socket.localPort
  }

  get writableLength(): number {
    return this.#socket.writableLength
  }

  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  get queueSize(): number {
    return Number(this.#ofHandle('writeQueueSize') ?? 0)
  }

  get fd(): number {
    return Number(this.#ofHandle('fd') ?? -1)
  }

  #ofHandle(name: string): unknown {
    const handle: unknown = Reflect.get(this.#socket, '_handle')
    return typeof handle === 'object' && handle !== null ? Reflect.get(handle, name) : undefined
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  cork(): void {
    this.#socket.cork()
  }

  uncork(): void {
    this.#socket.uncork()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  destroySoon(): void {
    this.#socket.destroySoon()
  }

  resetAndDestroy(): void {
    this.#socket.resetAndDestroy()
  }

  resume(): void {
    this.#socket.resume()
  }
}
