/**
 * Hot: gathers frames for a worker in one buffer, so that many share a write. Requests stay in it until
 * somebody flushes; what is said to requests in hand leaves at once, or at the end of the turn.
 */
import type { ByteStream } from '../../listen/byte-stream.ts'
import { FRAME_HEAD, FrameType } from '../../wire/frames.ts'
import { writeFrameHead, writeHead } from './encode.ts'
import type { Job } from './job.ts'

const ARENA = 65_536
/** What is larger goes out in a buffer of its own. */
const LARGE = ARENA / 2
/** Bytes that the worker has not taken, beyond which visitors are held back. */
const CONGESTED = 1_048_576

export class FrameWriter {
  readonly #socket: ByteStream
  #arena: Buffer = Buffer.allocUnsafeSlow(ARENA)
  #filled = 0
  #flushPlanned = false
  /** Requests written since the last flush. */
  batch = 0
  /** What was written last, when that was a request. */
  last: Job | null = null
  /** Requests so far: each knows its number. */
  #written = 0
  /** Number of the first one in the last flush, and of the one that comes after it. */
  #flushedFrom = 0
  #flushedTo = 0
  /** The kernel has taken the last flush as a whole, or nothing of it. */
  #whole = true

  constructor(socket: ByteStream) {
    this.#socket = socket
  }

  /** More is written than the worker takes. */
  get congested(): boolean {
    return this.#socket.writableLength + this.#filled >= CONGESTED
  }

  /** Whether it was in the last flush, so that the worker may not have read it. */
  inLastFlush({ written }: Job): boolean {
    return written >= this.#flushedFrom && written < this.#flushedTo
  }

  /** Whether the kernel has never had it; `trouble` is what it said about the socket. */
  isUnsent(job: Job, trouble: string): boolean {
    if (job.written >= this.#flushedTo) return true
    return trouble === 'EPIPE' && this.#whole && this.inLastFlush(job)
  }

  request(job: Job, flags: number): void {
    this.last = job
    const { id, head, line, fields } = job
    const { bytes } = job.body
    const size = (head === null ? 8 + line.length + fields.length : head.length) + bytes.length
    this.#room(FRAME_HEAD + size)
    const arena = this.#arena
    let to = writeFrameHead(arena, this.#filled, FrameType.REQUEST, flags, id, size)
    if (head === null) to = writeHead(arena, to, line, fields)
    else {
      arena.set(head, to)
      to += head.length
    }
    if (bytes.length > 0) arena.set(bytes, to)
    this.#filled = to + bytes.length
    this.batch++
    job.written = this.#written++
  }

  /** A frame without a payload, at once. */
  bare(type: number, flags: number, id: number): void {
    this.last = null
    this.#room(FRAME_HEAD)
    this.#filled = writeFrameHead(this.#arena, this.#filled, type, flags, id, 0)
    this.flush()
  }

  /** A frame whose payload is a u32, at once. */
  number(type: number, id: number, value: number): void {
    this.last = null
    this.#room(FRAME_HEAD + 4)
    const at = writeFrameHead(this.#arena, this.#filled, type, 0, id, 4)
    this.#filled = this.#arena.writeUInt32LE(value, at)
    this.flush()
  }

  /** A frame with a copy of `bytes`, at the end of the turn. */
  bytes(type: number, flags: number, id: number, bytes: Uint8Array): void {
    this.last = null
    const size = FRAME_HEAD + bytes.length
    if (size > LARGE) {
      this.flush()
      const frame = Buffer.allocUnsafeSlow(size)
      frame.set(bytes, writeFrameHead(frame, 0, type, flags, id, bytes.length))
      this.#flushedFrom = this.#flushedTo
      this.#socket.write(frame)
      return
    }
    this.#room(size)
    const at = writeFrameHead(this.#arena, this.#filled, type, flags, id, bytes.length)
    this.#arena.set(bytes, at)
    this.#filled = at + bytes.length
    this.flushSoon()
  }

  flush(): void {
    if (this.#filled === 0) return
    const bytes = this.#arena.subarray(0, this.#filled)
    this.#filled = 0
    this.batch = 0
    // Once it is known that the other side is gone, nothing is sent any more.
    if (this.#socket.destroyed || this.#socket.trouble !== '') return
    this.#flushedFrom = this.#flushedTo
    this.#flushedTo = this.#written
    this.#socket.write(bytes)
    this.#whole = this.#socket.writableLength === 0
    // What the kernel did not take at once still refers to the arena.
    if (this.#socket.writableLength > 0) this.#arena = Buffer.allocUnsafeSlow(ARENA)
  }

  /** Flushes when this turn of the event loop is over, with all that is written until then. */
  flushSoon(): void {
    if (this.#flushPlanned) return
    this.#flushPlanned = true
    setImmediate(FrameWriter.#flushPlannedNow, this)
  }

  static #flushPlannedNow(writer: FrameWriter): void {
    writer.#flushPlanned = false
    writer.flush()
  }

  #room(size: number): void {
    if (this.#arena.length - this.#filled >= size) return
    this.flush()
    if (this.#arena.length < size) this.#arena = Buffer.allocUnsafeSlow(size)
  }
}
