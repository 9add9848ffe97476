/**
 * After 101: two connections become one (RFC 9110 §7.8). Each side's end closes only the other's
 * direction, each side's slowness holds the other back, and a side that breaks takes the other along.
 */
import type { Duplex } from 'node:stream'
import type { ByteStream } from '../../listen/byte-stream.ts'

export class Tunnel {
  readonly #visitor: Duplex
  readonly #backend: ByteStream
  readonly #moved: () => void
  readonly #over: () => void
  #open = 2

  /** `moved`: bytes passed; `over`: nothing is left of either side. */
  constructor(visitor: Duplex, backend: ByteStream, moved: () => void, over: () => void) {
    this.#visitor = visitor
    this.#backend = backend
    this.#moved = moved
    this.#over = over
    visitor.on('data', (chunk: Buffer) => this.#fromVisitor(chunk))
    visitor.on('end', () => backend.end())
    visitor.on('drain', () => backend.resume())
    // The reason is of no use to anyone: 'close' follows.
    visitor.on('error', () => backend.destroy())
    visitor.on('close', () => this.#visitorClosed())
    visitor.resume()
  }

  /** `view` is valid only during the call. False: read no more until the stream is resumed. */
  fromBackend(view: Uint8Array): boolean {
    this.#moved()
    return this.#visitor.write(Buffer.from(view)) || this.#visitor.writableLength === 0
  }

  backendDrained(): void {
    if (this.#visitor.isPaused()) this.#visitor.resume()
  }

  backendEnded(): void {
    this.#visitor.end()
  }

  backendClosed(broken: boolean): void {
    if (broken) this.#visitor.destroy()
    // Both directions have ended in order: what the visitor was sent last may still be on its way.
    else this.#visitor.end(() => this.#visitor.destroy())
    this.#closed()
  }

  destroy(): void {
    this.#visitor.destroy()
    this.#backend.destroy()
  }

  #fromVisitor(chunk: Buffer): void {
    this.#moved()
    this.#backend.write(chunk)
    if (this.#backend.writableLength > 0) this.#visitor.pause()
  }

  #visitorClosed(): void {
    // In order: its last bytes may still be on their way. Else the backend must not take it for that.
    if (this.#visitor.readableEnded) this.#backend.destroySoon()
    else this.#backend.resetAndDestroy()
    this.#closed()
  }

  #closed(): void {
    if (--this.#open === 0) this.#over()
  }
}
