/**
 * Hot: a connection on libuv's handle itself. A net.Socket is a Duplex, an EventEmitter and a dozen
 * closures: making, using and closing one costs 27 µs of processor time for a connection that carries one
 * request, this 9 µs (measured behind nginx, which opens one for each request that it passes on over
 * uwsgi and SCGI).
 *
 * Node does not publish handles. What is needed of them is looked at once, at load: where it is not as
 * expected, `lightStreams` is null and net.Socket does the same, slower.
 */
import { getSystemErrorName } from 'node:util'
import type { ByteStream, Connection } from './byte-stream.ts'
import { unsent } from './unsent.ts'

/** libuv's UV_EOF. */
const END_OF_FILE = -4095

/** What an accepted handle can do (TCP and Pipe of Node's `stream_wrap`). */
export interface StreamHandle {
  onread: (this: StreamHandle) => void
  /** Ours: who reads from it. */
  stream?: LightStream
  readonly fd: number
  readonly writeQueueSize: number
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writev(request: WriteRequest, bytes: readonly Uint8Array[], allBuffers: true): number
  shutdown(request: object): number
  close(done: () => void): void
  reset?(done: () => void): number
  setNoDelay?(on: boolean): void
  getpeername?(into: Partial<Name>): number
  getsockname?(into: Partial<Name>): number
}

interface Name {
  address: string
  port: number
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  stream: LightStream | null
  /** Kept until the kernel has taken it. */
  bytes: unknown
  length: number
}

interface Internals {
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
  readonly WriteWrap: new () => WriteRequest
  readonly ShutdownWrap: new () => { oncomplete: () => void }
}

function findInternals(): Internals | null {
  try {
    const binding: unknown = Reflect.get(process, 'binding').call(process, 'stream_wrap')
    if (typeof binding !== 'object' || binding === null) return null
    const found = binding as Internals
    const usable =
      found.streamBaseState instanceof Int32Array &&
      Number.isInteger(found.kReadBytesOrError) &&
      Number.isInteger(found.kLastWriteWasAsync) &&
      typeof found.WriteWrap === 'function' &&
      typeof found.ShutdownWrap === 'function'
    return usable ? found : null
  } catch {
    return null
  }
}

const internals = findInternals()

/** Whether this Node's handles are as we know them. */
export const lightStreams: boolean = internals !== null

/** Whether `handle` can carry a LightStream. */
export function isStreamHandle(handle: unknown): handle is StreamHandle {
  if (internals === null || typeof handle !== 'object' || handle === null) return false
  return [
    'useUserBuffer',
    'readStart',
    'readStop',
    'writeBuffer',
    'writev',
    'shutdown',
    'close',
  ].every((name) => typeof Reflect.get(handle, name) === 'function')
}

// Local names: looked up on every read and write.
const state = internals?.streamBaseState ?? new Int32Array(8)
const READ = internals?.kReadBytesOrError ?? 0
const ASYNC = internals?.kLastWriteWasAsync ?? 0

/** A request object that no write has kept yet: most are over at once. */
let spare: WriteRequest | null = null

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
      spare = request
      // Not in the middle of whatever is being written.
      process.nextTick(() => this.#cannotWrite(failed))
      return
    }
    if (state[ASYNC] === 0) {
      spare = request
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

function newRequest(): WriteRequest {
  const request = spare
  if (request !== null) {
    spare = null
    return request
  }
  const made = new internals!.WriteWrap()
  made.oncomplete = onSent
  made.stream = null
  made.bytes = null
  made.length = 0
  return made
}

function onRead(this: StreamHandle): void {
  this.stream!.received(state[READ]!)
}

function onSent(this: WriteRequest, status: number): void {
  const { stream, length } = this
  this.stream = null
  this.bytes = null
  stream?.sent(length, status)
}
