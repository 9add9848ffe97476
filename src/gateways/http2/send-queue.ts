/** What of an answer waits until its visitor takes more. It counts with what all visitors have not taken. */
import { unsent } from '../../listen/unsent.ts'

/** Smaller pieces are put together, bytes: each would cost more than is in it, in memory and in frames. */
const SMALL = 4_096
/** Blocks that they are put into. */
const LEAST_BLOCK = 1_024
const MOST_BLOCK = 65_536

export class SendQueue {
  #pieces: Uint8Array[] = []
  /** The block whose beginning is the last piece; null: that is no block. */
  #block: Buffer | null = null
  /** How much of the first piece has left. */
  from = 0
  /** Bytes that wait. */
  length = 0

  get first(): Uint8Array | undefined {
    return this.#pieces[0]
  }

  /** Whether nothing stands behind the first piece. */
  get isLast(): boolean {
    return this.#pieces.length <= 1
  }

  /** `owned`: the bytes never change, so that they need no copy. */
  push(bytes: Uint8Array, owned: boolean): void {
    this.length += bytes.length
    unsent.bytes += bytes.length
    if (bytes.length < SMALL) return this.#append(bytes)
    this.#block = null
    this.#pieces.push(owned ? bytes : Buffer.from(bytes))
  }

  #append(bytes: Uint8Array): void {
    const last = this.#pieces.length - 1
    const block = this.#block
    if (block !== null) {
      const from = this.#pieces[last]!.length
      const end = from + bytes.length
      if (end <= block.length) {
        block.set(bytes, from)
        this.#pieces[last] = block.subarray(0, end)
        return
      }
    }
    const twice = block === null ? LEAST_BLOCK : Math.min(MOST_BLOCK, block.length * 2)
    const next = Buffer.allocUnsafeSlow(Math.max(twice, bytes.length))
    next.set(bytes)
    this.#block = next
    this.#pieces.push(next.subarray(0, bytes.length))
  }

  /** So much of the first piece has left. */
  left(bytes: number): void {
    this.from += bytes
    this.length -= bytes
    unsent.bytes -= bytes
    if (this.from < this.#pieces[0]!.length) return
    this.#pieces.shift()
    this.from = 0
    if (this.#pieces.length === 0) this.#block = null
  }

  /** Nobody waits for it any more. */
  drop(): void {
    unsent.bytes -= this.length
    this.#pieces = []
    this.#block = null
    this.from = 0
    this.length = 0
  }
}
