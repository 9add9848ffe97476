/**
 * Hot: a first-in-first-out queue in a ring. What was taken is let go of at once: an array that only
 * moves its beginning kept a thousand finished requests alive, and each collection of young memory took
 * 7 ms instead of 0.4.
 */
export class Queue<Item extends object> {
  #ring: (Item | null)[] = new Array(64).fill(null)
  #first = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(item: Item): void {
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#first + this.#size++) & (this.#ring.length - 1)] = item
  }

  peek(): Item | null {
    return this.#size === 0 ? null : this.#ring[this.#first]!
  }

  shift(): Item | null {
    if (this.#size === 0) return null
    const item = this.#ring[this.#first]!
    this.#ring[this.#first] = null
    this.#first = (this.#first + 1) & (this.#ring.length - 1)
    this.#size--
    return item
  }

  /** Everything, in order; the queue is empty afterwards. */
  drain(): Item[] {
    const items: Item[] = []
    for (let item = this.shift(); item !== null; item = this.shift()) items.push(item)
    return items
  }

  some(test: (item: Item) => boolean): boolean {
    for (let i = 0; i < this.#size; i++) {
      if (test(this.#ring[(this.#first + i) & (this.#ring.length - 1)]!)) return true
    }
    return false
  }

  /** Lets go of the items that `stays` is false for; the others keep their order. */
  keep(stays: (item: Item) => boolean): void {
    for (let left = this.#size; left > 0; left--) {
      const item = this.shift()!
      if (stays(item)) this.push(item)
    }
  }

  #grow(): void {
    const { length } = this.#ring
    const larger: (Item | null)[] = new Array(length * 2).fill(null)
    for (let i = 0; i < length; i++) larger[i] = this.#ring[(this.#first + i) & (length - 1)]!
    this.#ring = larger
    this.#first = 0
  }
}
