/** What of an answer waits until its visitor takes more. It counts with what all visitors have not taken. */
import { unsent } from '../../listen/unsent.ts'

export class SendQueue {
  #pieces: Uint8Array[] = []
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

  push(bytes: Uint8Array): void {
    this.#pieces.push(bytes)
    this.length += bytes.length
    unsent.bytes += bytes.length
  }

  /** So much of the first piece has left. */
  left(bytes: number): void {
    this.from += bytes
    this.length -= bytes
    unsent.bytes -= bytes
    if (this.from < this.#pieces[0]!.length) return
    this.#pieces.shift()
    this.from = 0
  }

  /** Nobody waits for it any more. */
  drop(): void {
    unsent.bytes -= this.length
    this.#pieces = []
    this.from = 0
    this.length = 0
  }
}
