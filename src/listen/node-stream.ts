/** The same as LightStream on a net.Socket, for a Node whose handles are not as we know them. */
import type { Socket } from 'node:net'
import type { ByteStream, Connection } from './byte-stream.ts'

export class NodeStream implements ByteStream {
  trouble = ''
  readonly #socket: Socket
  #connection: Connection | null = null

  /** `socket` has to have a writableHighWaterMark of 1, so that 'drain' means "all has left". */
  constructor(socket: Socket) {
    this.#socket = socket
  }

  start(connection: Connection): void {
    this.listen(connection)
    this.#socket.on('close', () => connection.closed())
  }

  /** Tells `connection` everything but its end. */
  protected listen(connection: Connection): void {
    const socket = this.#socket
    this.#connection = connection
    socket.on('data', this.#read)
    socket.on('end', this.#ended)
    socket.on('drain', this.#drained)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.trouble = error.code ?? error.message
    })
  }

  /** Gives the socket to a stream that wraps it; the connection still hears of its end. */
  release(): Socket | null {
    const socket = this.#socket
    if (socket.destroyed || socket.writableLength > 0) return null
    socket.pause()
    socket.off('data', this.#read).off('end', this.#ended).off('drain', this.#drained)
    return socket
  }

  readonly #read = (chunk: Buffer): void => {
    if (!this.#connection!.read(chunk, chunk.length)) this.#socket.pause()
  }

  readonly #ended = (): void => this.#connection!.ended()

  readonly #drained = (): void => this.#connection!.drained()

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

  /** Latin-1. */
  writeText(text: string): void {
    this.#socket.write(text, 'latin1')
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
    // Unix sockets and TLS know no reset, and net.Socket throws.
    const resets = this.#socket.remoteAddress !== undefined && !('encrypted' in this.#socket)
    if (resets) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }

  resume(): void {
    this.#socket.resume()
  }
}
