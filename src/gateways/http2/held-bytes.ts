/**
 * Bytes of a body that nobody takes yet: in one buffer, so that many small frames take no more memory than
 * the window lets in.
 */
const FIRST = 1_024
const NOTHING = Buffer.alloc(0)

export class HeldBytes {
  #bytes: Buffer | null = null
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Copies `bytes[from, to)` behind what there is; there will be `most` at most. */
  add(bytes: Buffer, from: number, to: number, most: number): void {
    const length = this.#length + to - from
    if (this.#bytes === null || length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(
        Math.max(FIRST, length, Math.min(this.#length * 2, most)),
      )
      this.#bytes?.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, this.#length, from, to)
    this.#length = length
  }

  /** All there is; nothing is held afterwards. */
  take(): Buffer {
    const view = this.#bytes?.subarray(0, this.#length) ?? NOTHING
    this.#bytes = null
    this.#length = 0
    return view
  }
}
