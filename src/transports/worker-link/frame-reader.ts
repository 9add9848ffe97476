/**
 * Hot: cuts what a worker sends into frames. Whole frames in one read are handed on as views without a
 * copy; DATA is handed on as it comes, so that a large body is never gathered.
 */
import { FRAME_HEAD, FrameType, MAX_FRAME } from '../../wire/frames.ts'

/** Receives frames. `payload` is valid only during the call. */
export interface FrameSink {
  frame(type: number, flags: number, extra: number, id: number, payload: Buffer): void
  /** The next bytes of a DATA frame. */
  data(id: number, bytes: Buffer): void
}

export class FrameReader {
  readonly #sink: FrameSink
  /** The beginning of a frame that is not complete. */
  #partial: Buffer | null = null
  #filled = 0
  /** Bytes still to come of a DATA frame, and its request. */
  #dataLeft = 0
  #dataId = 0

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  /** Takes bytes; throws an Error for what is no frame. */
  read(bytes: Buffer, length: number): void {
    let at = 0
    while (at < length) {
      if (this.#dataLeft > 0) {
        const end = Math.min(length, at + this.#dataLeft)
        this.#dataLeft -= end - at
        this.#sink.data(this.#dataId, bytes.subarray(at, end))
        at = end
      } else if (this.#partial !== null) at = this.#fill(this.#partial, bytes, at, length)
      else at = this.#whole(bytes, at, length)
    }
  }

  #whole(bytes: Buffer, at: number, length: number): number {
    if (length - at < FRAME_HEAD) {
      this.#partial = Buffer.allocUnsafe(FRAME_HEAD)
      this.#filled = 0
      return this.#fill(this.#partial, bytes, at, length)
    }
    const size = payloadLength(bytes, at)
    const from = at + FRAME_HEAD
    if (bytes[at + 8] === FrameType.DATA) {
      this.#dataId = bytes.readUInt32LE(at + 4)
      this.#dataLeft = size
      return from
    }
    if (length - from < size) {
      this.#partial = Buffer.allocUnsafe(FRAME_HEAD + size)
      this.#filled = 0
      return this.#fill(this.#partial, bytes, at, length)
    }
    this.#emit(bytes, at, size)
    return from + size
  }

  #fill(partial: Buffer, bytes: Buffer, at: number, length: number): number {
    const end = Math.min(length, at + partial.length - this.#filled)
    this.#filled += bytes.copy(partial, this.#filled, at, end)
    if (this.#filled < partial.length) return end
    const size = payloadLength(partial, 0)
    // Of DATA only the head is ever gathered.
    if (partial[8] === FrameType.DATA) {
      this.#dataId = partial.readUInt32LE(4)
      this.#dataLeft = size
      this.#partial = null
      return end
    }
    if (partial.length === FRAME_HEAD && size > 0) {
      // Now its size is known.
      this.#partial = Buffer.allocUnsafe(FRAME_HEAD + size)
      partial.copy(this.#partial)
      return end
    }
    this.#partial = null
    this.#emit(partial, 0, size)
    return end
  }

  #emit(bytes: Buffer, at: number, size: number): void {
    const from = at + FRAME_HEAD
    this.#sink.frame(
      bytes[at + 8]!,
      bytes[at + 9]!,
      bytes.readUInt16LE(at + 10),
      bytes.readUInt32LE(at + 4),
      bytes.subarray(from, from + size),
    )
  }
}

function payloadLength(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32LE(at)
  if (length > MAX_FRAME) throw new Error(`a frame of ${length} bytes`)
  return length
}
