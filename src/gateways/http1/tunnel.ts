/** The raw connection after an upgrade, as a Duplex: the socket itself reads into the shared buffer. */

import { Duplex } from 'node:stream'
import type { ByteStream } from '../../listen/byte-stream.ts'

export class Tunnel extends Duplex {
  readonly #socket: ByteStream
  /** Bytes given to the socket. */
  sent = 0
  #drained: (() => void) | null = null

  constructor(socket: ByteStream) {
    super({ allowHalfOpen: true })
    this.#socket = socket
  }

  /** Bytes from the visitor. False: read no more for now. */
  receive(bytes: Uint8Array): boolean {
    return this.push(Buffer.from(bytes))
  }

  /** The visitor will send no more. */
  receiveEnd(): void {
    this.push(null)
  }

  /** The socket has room again. */
  drained(): void {
    const drained = this.#drained
    this.#drained = null
    drained?.()
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.sent += chunk.length
    this.#socket.write(chunk)
    if (this.#socket.writableLength === 0) done()
    else this.#drained = done
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
