/**
 * Hot: takes HTTP/2 frames out of what is read, in whatever pieces it comes (RFC 9113 §4.1), and judges
 * what can be judged of a frame alone: its length, whether it belongs to a stream, its padding. A frame is
 * given whole: a few times faster than in parts, and at most one of our own frame size is kept meanwhile.
 */
import {
  DEFAULT_FRAME_SIZE,
  Flag,
  FRAME_HEAD,
  FrameType,
  Http2Code,
  Http2Fault,
  readNumber,
} from './http2.ts'

/**
 * Receives frames. `bytes[from, to)` is the payload without padding, valid only during the call. `length`:
 * with it, as flow control counts. False: stop behind this one.
 */
export type TakeFrame = (
  type: number,
  flags: number,
  stream: number,
  bytes: Buffer,
  from: number,
  to: number,
  length: number,
) => boolean

const { PROTOCOL_ERROR, FRAME_SIZE_ERROR } = Http2Code

export class FrameReader {
  readonly #take: TakeFrame
  readonly #most: number
  /** The beginning of a frame whose rest has not come. */
  #held: Buffer | null = null
  #filled = 0

  /** `most`: our SETTINGS_MAX_FRAME_SIZE. */
  constructor(take: TakeFrame, most: number = DEFAULT_FRAME_SIZE) {
    this.#take = take
    this.#most = most
  }

  /** All that has come were whole frames. */
  get between(): boolean {
    return this.#filled === 0
  }

  /**
   * Takes `bytes[from, to)`; returns where it stopped: at `to`, or earlier where `take` said so. Throws
   * Http2Fault, always of the connection: nothing can be read after it.
   */
  read(bytes: Buffer, from: number, to: number): number {
    let at = from
    if (this.#filled > 0) {
      at = this.#fill(bytes, at, to)
      if (at < 0) return to
      const frame = this.#held!
      const end = this.#filled
      this.#filled = 0
      this.#held = null
      if (!this.#give(frame, 0, end)) return at
    }
    while (to - at >= FRAME_HEAD) {
      const end = at + FRAME_HEAD + this.#length(bytes, at)
      if (end > to) break
      const begin = at
      at = end
      if (!this.#give(bytes, begin, end)) return at
    }
    if (at < to) this.#hold(bytes, at, to)
    return to
  }

  #length(bytes: Buffer, at: number): number {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
    if (length > this.#most) throw new Http2Fault(FRAME_SIZE_ERROR, `a frame of ${length} bytes`)
    return length
  }

  #hold(bytes: Buffer, from: number, to: number): void {
    const left = to - from
    const size = left < FRAME_HEAD ? FRAME_HEAD : FRAME_HEAD + this.#length(bytes, from)
    // Not out of the common pool: a slow sender would keep 64 KiB of it alive.
    this.#held = Buffer.allocUnsafeSlow(size)
    bytes.copy(this.#held, 0, from, to)
    this.#filled = left
  }

  /** Completes the frame that is held: returns where it ends in `bytes`, -1 when it does not yet. */
  #fill(bytes: Buffer, from: number, to: number): number {
    let at = from
    if (this.#filled < FRAME_HEAD) {
      const end = Math.min(to, at + FRAME_HEAD - this.#filled)
      bytes.copy(this.#held!, this.#filled, at, end)
      this.#filled += end - at
      at = end
      if (this.#filled < FRAME_HEAD) return -1
      const head = this.#held!
      this.#held = Buffer.allocUnsafeSlow(FRAME_HEAD + this.#length(head, 0))
      head.copy(this.#held, 0, 0, FRAME_HEAD)
    }
    const end = Math.min(to, at + this.#held!.length - this.#filled)
    bytes.copy(this.#held!, this.#filled, at, end)
    this.#filled += end - at
    return this.#filled === this.#held!.length ? end : -1
  }

  #give(bytes: Buffer, at: number, end: number): boolean {
    const type = bytes[at + 3]!
    const flags = bytes[at + 4]!
    const stream = readNumber(bytes, at + 5)
    const length = end - at - FRAME_HEAD
    let from = at + FRAME_HEAD
    let to = end
    checkFrame(type, flags, stream, length)
    if ((flags & Flag.PADDED) !== 0 && (type === FrameType.DATA || type === FrameType.HEADERS)) {
      // §6.1: padding as long as the payload or longer.
      const padding = length === 0 ? 0 : bytes[from++]!
      to -= padding
      if (length === 0) throw new Http2Fault(FRAME_SIZE_ERROR, 'no padding length')
      if (to < from) throw new Http2Fault(PROTOCOL_ERROR, 'more padding than frame')
    }
    return this.#take(type, flags, stream, bytes, from, to, length)
  }
}

/** §6: what is wrong with a frame of this type, whatever it says. */
function checkFrame(type: number, flags: number, stream: number, length: number): void {
  switch (type) {
    case FrameType.DATA:
    case FrameType.HEADERS:
    case FrameType.CONTINUATION:
      if (stream === 0) throw onStreamZero(type)
      return
    case FrameType.PRIORITY:
      // A wrong length costs its stream alone (§6.3), so it is judged where streams are.
      if (stream === 0) throw onStreamZero(type)
      return
    case FrameType.RST_STREAM:
      if (stream === 0) throw onStreamZero(type)
      if (length !== 4) throw wrongSize(type)
      return
    case FrameType.SETTINGS:
      if (stream !== 0) throw onStream(type)
      if ((flags & Flag.ACK) !== 0 ? length !== 0 : length % 6 !== 0) throw wrongSize(type)
      return
    case FrameType.PUSH_PROMISE:
      if (stream === 0) throw onStreamZero(type)
      return
    case FrameType.PING:
      if (stream !== 0) throw onStream(type)
      if (length !== 8) throw wrongSize(type)
      return
    case FrameType.GOAWAY:
      if (stream !== 0) throw onStream(type)
      if (length < 8) throw wrongSize(type)
      return
    case FrameType.WINDOW_UPDATE:
      if (length !== 4) throw wrongSize(type)
      return
    case FrameType.PRIORITY_UPDATE:
      if (stream !== 0) throw onStream(type)
      if (length < 4) throw wrongSize(type)
  }
}

function onStreamZero(type: number): Http2Fault {
  return new Http2Fault(PROTOCOL_ERROR, `frame type ${type} on stream 0`)
}

function onStream(type: number): Http2Fault {
  return new Http2Fault(PROTOCOL_ERROR, `frame type ${type} on a stream`)
}

function wrongSize(type: number): Http2Fault {
  return new Http2Fault(FRAME_SIZE_ERROR, `frame type ${type} of a wrong length`)
}
