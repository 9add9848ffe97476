/**
 * What an extended CONNECT has opened (RFC 8441), as a Duplex: DATA frames both ways, within their windows.
 * It holds one piece that its reader has not taken; what comes behind that waits in the stream, in one piece.
 */
import { Duplex } from 'node:stream'
import type { Http2Stream } from './stream.ts'

export class Http2Tunnel extends Duplex {
  readonly #stream: Http2Stream
  /** Bytes given to the stream. */
  sent = 0
  /** The reader wants more. */
  wanting = true
  #drained: (() => void) | null = null
  #ended = false

  constructor(stream: Http2Stream) {
    super({ allowHalfOpen: true, readableHighWaterMark: 1 })
    this.#stream = stream
  }

  /** Bytes from the visitor; they are copied. False: they wait here until the reader wants more. */
  receive(bytes: Uint8Array): boolean {
    this.wanting = this.push(Buffer.from(bytes))
    return this.wanting
  }

  /** The visitor will send no more. */
  receiveEnd(): void {
    if (this.#ended) return
    this.#ended = true
    this.push(null)
  }

  /** What was written has left. */
  drained(): void {
    const drained = this.#drained
    this.#drained = null
    drained?.()
  }

  override _read(): void {
    this.wanting = true
    this.#stream.bodyWanted()
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error | null) => void,
  ): void {
    this.sent += chunk.length
    if (this.#stream.send(chunk, true)) done()
    else this.#drained = done
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.end('')
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stream.tunnelClosed()
    done(error)
  }
}
