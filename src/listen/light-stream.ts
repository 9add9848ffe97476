/**
 * Hot: a connection on libuv's handle itself. A net.Socket is a Duplex, an EventEmitter and a dozen
 * closures: making, using and closing one costs 27 µs of processor time for a connection that carries one
 * request, this 9 µs (measured behind nginx, which opens one for each request that it passes on over
 * uwsgi and SCGI).
 */
import { getSystemErrorName } from 'node:util'
import type { ByteStream, Connection } from './byte-stream.ts'
import {
  ASYNC,
  END_OF_FILE,
  internals,
  type Name,
  newRequest,
  onRead,
  type StreamHandle,
  state,
  unused,
  type WriteRequest,
} from './stream-handle.ts'
import { unsent } from './unsent.ts'

const State = { OPEN: 0, ENDING: 1, CLOSED: 2 } as const

export class LightStream implements ByteStream {
  writableLength = 0
  trouble = ''
  readonly #handle: StreamHandle
  readonly #shared: Buffer
  #connection: Connection | null = null
  #state: number = State.OPEN
  #reading = false
  #readEnded = false
  #writeEnded = false
  /** In writes that take their time. */
  #unsent = 0
  #corked: Uint8Array[] | null = null
  #closeWhenSent = false
  #peer: Partial<Name> | null = null
  #own: Partial<Name> | null = null

  /** Reads come into `shared`, which is every stream's. */
  constructor(handle: StreamHandle, shared: Buffer) {
    this.#handle = handle
    this.#shared = shared
    handle.stream = this
  }

  /** Begins to read for `connection`. */
  start(connection: Connection): void {
    this.#connection = connection
    if (this.#state === State.CLOSED) return
    const handle = this.#handle
    handle.useUserBuffer(this.#shared)
    handle.onread = onRead
    this.resume()
  }

  get destroyed(): boolean {
    return this.#state === State.CLOSED
  }

  get queueSize(): number {
    return this.#state === State.CLOSED ? 0 : this.#handle.writeQueueSize
  }

  get fd(): number {
    return this.#state === State.CLOSED ? -1 : this.#handle.fd
  }

  get remoteAddress(): string | undefined {
    return this.#remote.address
  }

  get remotePort(): number | undefined {
    return this.#remote.port
  }

  get localAddress(): string | undefined {
    return this.#local.address
  }

  get localPort(): number | undefined {
    return this.#local.port
  }

  get #remote(): Partial<Name> {
    if (this.#peer === null) {
      this.#peer = {}
      if (this.#state !== State.CLOSED) this.#handle.getpeername?.(this.#peer)
    }
    return this.#peer
  }

  get #local(): Partial<Name> {
    if (this.#own === null) {
      this.#own = {}
      if (this.#state !== State.CLOSED) this.#handle.getsockname?.(this.#own)
    }
    return this.#own
  }

  // Reading.

  resume(): void {
    if (this.#reading || this.#readEnded || this.#state === State.CLOSED) return
    this.#reading = true
    const failed = this.#handle.readStart()
    if (failed !== 0) this.#fail(failed)
  }

  /** Called by the handle: `count` bytes are in the shared buffer, or it is an error. */
  received(count: number): void {
    if (this.#state === State.CLOSED) return
    if (count > 0) {
      if (this.#connection!.read(this.#shared, count)) return
      // It may have been resumed, and paused, and closed meanwhile.
      if (!this.#reading || this.destroyed) return
      this.#reading = false
      this.#handle.readStop()
    } else if (count === END_OF_FILE) {
      this.#reading = false
      this.#readEnded = true
      this.#connection!.ended()
      this.#closeWhenOver()
    } else if (count < 0) this.#fail(count)
  }

  // Writing.

  write(bytes: Uint8Array): void {
    if (this.#state !== State.OPEN) return
    if (this.#corked !== null) {
      this.#corked.push(bytes)
      this.writableLength += bytes.length
      return
    }
    if (bytes.length === 0) return
    const request = newRequest()
    const failed = this.#handle.writeBuffer(request, bytes)
    this.#wrote(request, failed, bytes, bytes.length)
  }

  /** Latin-1. */
  writeText(text: string): void {
    if (this.#corked !== null) return this.write(Buffer.from(text, 'latin1'))
    if (this.#state !== State.OPEN || text === '') return
    const request = newRequest()
    const failed = this.#handle.writeLatin1String(request, text)
    // Of text that takes its time, the handle keeps its own copy.
    this.#wrote(request, failed, null, text.length)
  }

  cork(): void {
    this.#corked ??= []
  }

  uncork(): void {
    const parts = this.#corked
    if (parts === null) return
    this.#corked = null
    if (parts.length === 0 || this.#state === State.CLOSED) return
    let length = 0
    for (const part of parts) length += part.length
    this.writableLength -= length
    const request = newRequest()
    const [only] = parts
    const failed =
      parts.length === 1
        ? this.#handle.writeBuffer(request, only!)
        : this.#handle.writev(request, parts, true)
    this.#wrote(request, failed, parts, length)
  }

  #wrote(request: WriteRequest, failed: number, bytes: unknown, length: number): void {
    if (failed !== 0) {
      unused(request)
      // Not in the middle of whatever is being written.
      process.nextTick(() => this.#cannotWrite(failed))
      return
    }
    if (state[ASYNC] === 0) {
      unused(request)
      return
    }
    request.stream = this
    request.bytes = bytes
    request.length = length
    this.writableLength += length
    this.#unsent += length
    unsent.bytes += length
  }

  /** Called by a write that took its time. */
  sent(length: number, status: number): void {
    if (this.#state === State.CLOSED) return
    this.writableLength -= length
    this.#unsent -= length
    unsent.bytes -= length
    if (status < 0) return this.#cannotWrite(status)
    if (this.writableLength > 0) return
    if (this.#closeWhenSent) this.destroy()
    else this.#connection?.drained()
  }

  // Ends.

  /**
   * Gives the handle to a stream that wraps it. This one is over then, but for its connection, which
   * hears by `lost` when nothing is left. Null: it is closed, or not all that was written has left.
   */
  release(): StreamHandle | null {
    if (this.#state !== State.OPEN || this.writableLength > 0) return null
    // Its ends are still asked for.
    void this.#remote
    void this.#local
    this.#handle.readStop()
    this.#reading = false
    this.#state = State.CLOSED
    return this.#handle
  }

  /** The handle that was given away is closed. */
  lost(): void {
    this.#closed()
  }

  end(): void {
    if (this.#state !== State.OPEN) return
    this.uncork()
    this.#state = State.ENDING
    const request = new internals!.ShutdownWrap()
    request.oncomplete = () => {
      this.#writeEnded = true
      this.#closeWhenOver()
    }
    const failed = this.#handle.shutdown(request)
    if (failed !== 0) process.nextTick(() => this.#fail(failed))
  }

  /** Both sides have said all: nothing can come any more. */
  #closeWhenOver(): void {
    if (this.#readEnded && this.#writeEnded) this.destroy()
  }

  destroySoon(): void {
    if (this.#state === State.CLOSED) return
    this.uncork()
    if (this.writableLength === 0) this.destroy()
    else this.#closeWhenSent = true
  }

  destroy(): void {
    if (this.#state === State.CLOSED) return
    this.#state = State.CLOSED
    this.#handle.close(() => this.#closed())
  }

  resetAndDestroy(): void {
    if (this.#state === State.CLOSED) return
    const { reset } = this.#handle
    if (reset === undefined) return this.destroy()
    const failed = reset.call(this.#handle, () => this.#closed())
    if (failed === 0) this.#state = State.CLOSED
    else this.destroy()
  }

  /**
   * The other side has closed. What it sent before that can still be read: an answer whose reader was
   * granting it more room, say. Its end, or its reset, comes right behind.
   */
  #cannotWrite(error: number): void {
    if (this.#state === State.CLOSED) return
    const name = getSystemErrorName(error)
    const awaited = this.#reading && (name === 'EPIPE' || name === 'ECONNRESET')
    if (!awaited) return this.#fail(error)
    this.trouble = name
    this.#state = State.ENDING
    this.#writeEnded = true
    this.writableLength = 0
  }

  #fail(error: number): void {
    if (this.#state === State.CLOSED) return
    this.trouble = getSystemErrorName(error)
    this.destroy()
  }

  #closed(): void {
    unsent.bytes -= this.#unsent
    this.#unsent = 0
    this.writableLength = 0
    this.#corked = null
    this.#connection?.closed()
  }
}
