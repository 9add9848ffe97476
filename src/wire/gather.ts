/** A block whose size is known before it comes: a view where it comes at once, else put together. Pure. */

export class Gather {
  #size = 0
  #seen = 0
  #keep = true
  #parts: Buffer | null = null
  /** The whole block once it is there: valid during the call that completed it, no longer. */
  block: Buffer | null = null

  /** Expects `size` bytes. Without `keep` they are only counted. */
  expect(size: number, keep: boolean): void {
    this.#size = size
    this.#seen = 0
    this.#keep = keep
    this.#parts = null
    this.block = null
  }

  get complete(): boolean {
    return this.#seen === this.#size
  }

  /** Takes from `bytes[from, to)` what belongs to the block; returns where that ends. */
  take(bytes: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#size - this.#seen)
    if (this.#keep) {
      if (end - from === this.#size) this.block = bytes.subarray(from, end)
      else if (end > from) {
        // Not out of the common pool: a slow sender would keep 64 KiB of it alive.
        this.#parts ??= Buffer.allocUnsafeSlow(this.#size)
        bytes.copy(this.#parts, this.#seen, from, end)
      }
    }
    this.#seen += end - from
    if (this.complete && this.#parts !== null) {
      this.block = this.#parts
      this.#parts = null
    }
    return end
  }
}
