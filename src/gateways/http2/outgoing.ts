/**
 * Hot: what a connection has to say in one turn leaves in one write. Frames are put together in a buffer
 * that is borrowed for as long, so that a connection with nothing to say holds none.
 */
import type { ByteStream } from '../../listen/byte-stream.ts'

/** More is written before the turn is over. */
const SIZE = 65_536
/** Kept for whoever has something to say next. */
const MOST_FREE = 32
/** A write that is not over at once keeps its whole buffer: what does not fill it by half is copied before. */
const COPIED: number = SIZE / 2

const free: Buffer[] = []
const NONE = Buffer.alloc(0)

export class Outgoing {
  /** Frames are written from `at` on, once there is `room`. */
  bytes: Buffer = NONE
  at = 0
  /** The next header block has to say that no table is used (RFC 7541 §4.2). */
  tableUpdate = false
  readonly #socket: ByteStream
  readonly #count: (bytes: number) => void
  /** The last write was not over at once, as with TLS. */
  #slow = false

  /** `count` is told how many bytes are written. */
  constructor(socket: ByteStream, count: (bytes: number) => void) {
    this.#socket = socket
    this.#count = count
  }

  /** Makes room for so many bytes; returns `at`. */
  room(size: number): number {
    if (this.at + size > this.bytes.length) this.#make(size)
    return this.at
  }

  #make(size: number): void {
    this.flush()
    if (size > SIZE) this.bytes = Buffer.allocUnsafeSlow(size)
    else this.bytes = free.pop() ?? Buffer.allocUnsafeSlow(SIZE)
  }

  /** A frame that is ready. */
  put(frame: Uint8Array): void {
    const at = this.room(frame.length)
    this.bytes.set(frame, at)
    this.at = at + frame.length
  }

  /** Bytes that the kernel has not taken, and those that wait here. */
  get backlog(): number {
    return this.at + this.#socket.writableLength
  }

  /** Writes what there is. */
  flush(): void {
    const { bytes, at } = this
    if (bytes === NONE) return
    this.bytes = NONE
    this.at = 0
    if (at === 0) return giveBack(bytes)
    this.#count(at)
    if (this.#slow && at <= COPIED) {
      this.#socket.write(Buffer.from(bytes.subarray(0, at)))
      return giveBack(bytes)
    }
    this.#socket.write(bytes.subarray(0, at))
    this.#slow = this.#socket.writableLength > 0
    if (!this.#slow) giveBack(bytes)
  }

  /** Nothing more is written. */
  drop(): void {
    const { bytes } = this
    this.bytes = NONE
    this.at = 0
    if (bytes !== NONE) giveBack(bytes)
  }
}

function giveBack(bytes: Buffer): void {
  if (bytes.length === SIZE && free.length < MOST_FREE) free.push(bytes)
}
