/**
 * Hot: one of the two connections that are made one. What it says goes to the other side at once; where
 * that is slower, one read waits, and no more is read: so memory is bounded, and slowness is passed on.
 */
import type { ByteStream, Connection } from '../listen/byte-stream.ts'
import { clock } from '../request/clock.ts'
import { giveBack, lend } from './buffers.ts'

/** Who looks after both sides. */
export interface Relay {
  /** Said before there is another side. False: no more until `resume`. */
  early(bytes: Buffer, length: number): boolean
  /** It says no more. */
  ended(side: Side): void
  /** Nothing is left of it. */
  closed(side: Side): void
}

export class Side implements Connection {
  readonly stream: ByteStream
  readonly #relay: Relay
  /** Null while there is none. */
  other: Side | null = null
  /** Bytes that it has said. */
  said = 0
  /** It says no more. */
  silent = false
  /** When it last said something, or took what it was told; on the coarse clock, ms. */
  moved: number = clock.now
  /** Nothing is left of it. */
  gone = false
  /** It was told more than it took. */
  behind = false
  /** What of that is ours. */
  #lent: Buffer | null = null

  constructor(stream: ByteStream, relay: Relay) {
    this.stream = stream
    this.#relay = relay
  }

  read(bytes: Buffer, length: number): boolean {
    this.said += length
    this.moved = clock.now
    const { other } = this
    return other === null ? this.#relay.early(bytes, length) : other.tell(bytes, length)
  }

  /** False: it takes no more for now. The bytes are copied. */
  tell(bytes: Buffer, length: number): boolean {
    const { stream } = this
    const buffer = lend(bytes, length)
    stream.write(buffer.subarray(0, length))
    if (stream.writableLength > 0) {
      this.#lent = buffer
      this.behind = true
      return false
    }
    giveBack(buffer)
    this.moved = clock.now
    return true
  }

  ended(): void {
    // It has broken, which a write has found out first: the end that follows is none to pass on.
    if (this.stream.trouble !== '') return
    this.silent = true
    this.#relay.ended(this)
  }

  /** The other side has broken. */
  breaks(other: Side): void {
    const { stream } = this
    if (stream.destroyed) return
    // It had said all that it had to say: a reset would eat what of that is still on its way.
    if (other.silent) stream.destroySoon()
    else stream.resetAndDestroy()
  }

  drained(): void {
    this.moved = clock.now
    if (!this.behind) return
    this.#forget()
    this.other?.stream.resume()
  }

  closed(): void {
    this.gone = true
    this.#forget()
    this.#relay.closed(this)
  }

  #forget(): void {
    this.behind = false
    if (this.#lent !== null) giveBack(this.#lent)
    this.#lent = null
  }
}
