/**
 * WebSocket frames on their way to a visitor: all of a turn leave in one write, and while that is under
 * way the next ones gather. What gathers is bounded by the worker's window, and by one pong.
 */
import type { Duplex } from 'node:stream'
import { encodeFrame, Opcode } from '../../wire/websocket.ts'

/** A frame that waits takes more memory than it is long: so many of them become one piece. */
const MOST_FRAMES = 1024

export class Outbox {
  readonly #visitor: Duplex
  readonly #taken: (bytes: number) => void
  #frames: Buffer[] = []
  /** What came before these. */
  #pieces: Buffer[] = []
  #length = 0
  /** Counted bytes in the frames for the next write, and in the write under way. */
  #counted = 0
  #countedNow = 0
  #flushPlanned = false
  #writing = false
  /** Of the last ping: only that need be answered (RFC 6455 §5.5.3). */
  #pong: Buffer | null = null
  #ends = false

  /** `taken`: that many of the counted bytes have left. */
  constructor(visitor: Duplex, taken: (bytes: number) => void) {
    this.#visitor = visitor
    this.#taken = taken
  }

  put(frame: Buffer, counted: number): void {
    if (this.#frames.push(frame) === MOST_FRAMES) {
      this.#pieces.push(Buffer.concat(this.#frames))
      this.#frames = []
    }
    this.#length += frame.length
    this.#counted += counted
    this.#flushSoon()
  }

  /** Answers a ping; earlier ones that are unanswered stay so. */
  pong(payload: Uint8Array): void {
    this.#pong = Buffer.from(payload)
    this.#flushSoon()
  }

  /** Ends the connection behind the last frame. */
  end(): void {
    this.#pong = null
    this.#ends = true
    this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#flushPlanned || this.#writing) return
    this.#flushPlanned = true
    process.nextTick(Outbox.#flushPlannedNow, this)
  }

  static #flushPlannedNow(outbox: Outbox): void {
    outbox.#flushPlanned = false
    outbox.#flush()
  }

  #flush(): void {
    if (this.#visitor.destroyed) return
    if (this.#pong !== null) {
      const frame = encodeFrame(Opcode.PONG, this.#pong)
      this.#pong = null
      this.#frames.push(frame)
      this.#length += frame.length
    }
    if (this.#length === 0) {
      if (this.#ends) this.#visitor.end()
      this.#ends = false
      return
    }
    const frames = this.#pieces.length === 0 ? this.#frames : [...this.#pieces, ...this.#frames]
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames, this.#length)
    this.#frames = []
    this.#pieces = []
    this.#length = 0
    this.#countedNow = this.#counted
    this.#counted = 0
    this.#writing = true
    this.#visitor.write(bytes, this.#written)
  }

  /** The visitor's socket has taken the last write. */
  readonly #written = (): void => {
    this.#writing = false
    const counted = this.#countedNow
    this.#countedNow = 0
    if (counted > 0) this.#taken(counted)
    if (this.#length > 0 || this.#pong !== null || this.#ends) this.#flush()
  }
}
