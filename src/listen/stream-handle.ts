/**
 * libuv's handles as Node has them, which it does not publish. What is needed of them is looked at once,
 * at load: where it is not as expected, `lightStreams` is false and net.Socket does the same, slower.
 */

/** Whom a handle, or a write, tells what has become of it. */
export interface HandleUser {
  /** `count` bytes are in the buffer that was given, or it is an error. */
  received(count: number): void
  /** A write of `length` bytes that took its time is over. */
  sent(length: number, status: number): void
}

/** What an accepted handle can do (TCP and Pipe of Node's `stream_wrap`). */
export interface StreamHandle {
  onread: (this: { readonly stream?: HandleUser }) => void
  /** Ours: who reads from it. */
  stream?: HandleUser
  readonly fd: number
  readonly writeQueueSize: number
  useUserBuffer(buffer: Uint8Array): void
  readStart(): number
  readStop(): number
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  writeLatin1String(request: WriteRequest, text: string): number
  writev(request: WriteRequest, bytes: readonly Uint8Array[], allBuffers: true): number
  shutdown(request: object): number
  close(done: () => void): void
  reset?(done: () => void): number
  setNoDelay?(on: boolean): void
  getpeername?(into: Partial<Name>): number
  getsockname?(into: Partial<Name>): number
}

export interface Name {
  address: string
  port: number
}

export interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void
  stream: HandleUser | null
  /** Kept until the kernel has taken it. */
  bytes: unknown
  length: number
}

export interface Internals {
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

/** Null where this Node's are not as we know them. */
export const internals: Internals | null = findInternals()

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
    'writeLatin1String',
    'writev',
    'shutdown',
    'close',
  ].every((name) => typeof Reflect.get(handle, name) === 'function')
}

// Local names: looked up on every read and write.
export const state: Int32Array = internals?.streamBaseState ?? new Int32Array(8)
export const READ: number = internals?.kReadBytesOrError ?? 0
export const ASYNC: number = internals?.kLastWriteWasAsync ?? 0

/** libuv's UV_EOF. */
export const END_OF_FILE = -4095

/** A request object that no write has kept yet: most are over at once. */
let spare: WriteRequest | null = null

/** For one write. */
export function newRequest(): WriteRequest {
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

/** A write was over at once: its request may serve another one. */
export function unused(request: WriteRequest): void {
  spare = request
}

/** Of a handle with a `stream`. */
export function onRead(this: { readonly stream?: HandleUser }): void {
  this.stream!.received(state[READ]!)
}

function onSent(this: WriteRequest, status: number): void {
  const { stream, length } = this
  this.stream = null
  this.bytes = null
  stream?.sent(length, status)
}
