/** A list that grows and shrinks at both ends, in a ring: the elements of a queue. */

const LEAST = 8

export class Deque {
  #ring: string[] = new Array(LEAST).fill('')
  #first = 0
  length = 0

  /** From the front on; negative counts from the back, as Redis does. */
  at(index: number): string | undefined {
    const place = index < 0 ? this.length + index : index
    if (place < 0 || place >= this.length) return undefined
    return this.#ring[(this.#first + place) & (this.#ring.length - 1)]
  }

  pushBack(value: string): void {
    if (this.length === this.#ring.length) this.#resize(this.length * 2)
    this.#ring[(this.#first + this.length++) & (this.#ring.length - 1)] = value
  }

  pushFront(value: string): void {
    if (this.length === this.#ring.length) this.#resize(this.length * 2)
    this.#first = (this.#first - 1) & (this.#ring.length - 1)
    this.#ring[this.#first] = value
    this.length++
  }

  popFront(): string | undefined {
    const value = this.at(0)
    if (value === undefined) return undefined
    this.#ring[this.#first] = ''
    this.#first = (this.#first + 1) & (this.#ring.length - 1)
    this.#shrink()
    return value
  }

  popBack(): string | undefined {
    const value = this.at(-1)
    if (value === undefined) return undefined
    this.#ring[(this.#first + this.length - 1) & (this.#ring.length - 1)] = ''
    this.#shrink()
    return value
  }

  #shrink(): void {
    this.length--
    const size = this.#ring.length
    if (size > LEAST && this.length * 4 <= size) this.#resize(size / 2)
  }

  #resize(size: number): void {
    const ring: string[] = new Array(size).fill('')
    for (let i = 0; i < this.length; i++) ring[i] = this.at(i)!
    this.#ring = ring
    this.#first = 0
  }
}
