/**
 * A socket that is none: it lets a test hand a connection its bytes in any pieces, at once, and see what
 * it writes. As on the real path the bytes lie in one shared buffer, between what other connections left
 * there, and are overwritten as soon as the call returns: a view that was kept shows.
 */
import { Socket } from 'node:net'
import type { Http1Gateway } from '../../../src/gateways/http1/gateway.ts'
import type { ByteStream, Connection } from '../../../src/listen/byte-stream.ts'

const shared = Buffer.alloc(65_536)
/** What a reader that goes too far would take for the end of a line, a head, a chunk. */
const BAIT = Buffer.from('\r\n\r\nGET /bait HTTP/1.1\r\nHost: bait\r\n\r\n0\r\n\r\n')

class Wire extends Socket {
  readonly queueSize = 0
  readonly fd = -1
  readonly trouble = ''
  readonly written: Buffer[] = []
  finished = false
  onResume: () => void = () => {}
  onDestroy: () => void = () => {}

  override write(bytes: Uint8Array | string): boolean {
    if (!this.destroyed && !this.finished) this.written.push(Buffer.from(bytes))
    return true
  }

  override end(): this {
    this.finished = true
    return this
  }

  override cork(): void {}
  override uncork(): void {}

  override resume(): this {
    this.onResume()
    return this
  }

  override destroySoon(): void {
    this.destroy()
  }

  override resetAndDestroy(): this {
    return this.destroy()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    done(error)
    this.onDestroy()
  }
}

/** One visitor without a network. */
export class StandIn {
  readonly #wire = new Wire()
  readonly #connection: Connection
  readonly #queue: Buffer[] = []
  #paused = false
  #end = false

  constructor(gateway: Http1Gateway) {
    this.#connection = gateway.connect(this.#wire as unknown as ByteStream)
    this.#wire.onResume = () => {
      if (!this.#paused) return
      this.#paused = false
      setImmediate(() => this.#pump())
    }
    this.#wire.onDestroy = () => setImmediate(() => this.#connection.closed())
  }

  /** All that the server has sent. */
  get answer(): Buffer {
    return Buffer.concat(this.#wire.written)
  }

  /** Forgets what the server has sent so far. */
  forget(): void {
    this.#wire.written.length = 0
  }

  /** The server will send no more. */
  get closed(): boolean {
    return this.#wire.finished || this.#wire.destroyed
  }

  /** The server will not read on for now. */
  get paused(): boolean {
    return this.#paused
  }

  /** There is something that the server will read. */
  get busy(): boolean {
    return this.#queue.length > 0 || this.#paused
  }

  send(bytes: Uint8Array): void {
    this.#queue.push(Buffer.from(bytes))
    this.#pump()
  }

  end(): void {
    this.#end = true
    this.#pump()
  }

  /** The visitor is gone without a word. */
  leave(): void {
    if (this.#wire.destroyed) return
    this.#wire.destroy()
  }

  #pump(): void {
    while (!this.#paused && this.#queue.length > 0) {
      const bytes = this.#queue.shift()!
      if (this.#wire.destroyed) return
      const length = Math.min(bytes.length, shared.length)
      if (length < bytes.length) this.#queue.unshift(bytes.subarray(length))
      if (length + BAIT.length <= shared.length) BAIT.copy(shared, length)
      bytes.copy(shared, 0, 0, length)
      this.#paused = !this.#connection.read(shared, length)
      shared.fill(0x58, 0, length)
    }
    if (this.#end && this.#queue.length === 0 && !this.#paused && !this.#wire.destroyed) {
      this.#end = false
      this.#connection.ended()
    }
  }
}
