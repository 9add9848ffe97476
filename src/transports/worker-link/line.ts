/** Those who wait for a worker: the urgent ones first, each kind in its order. */
import { Queue } from './queue.ts'

export class Line<Item extends object> {
  readonly #urgent = new Queue<Item>()
  readonly #others = new Queue<Item>()

  get size(): number {
    return this.#urgent.size + this.#others.size
  }

  get urgent(): number {
    return this.#urgent.size
  }

  push(item: Item, urgent: boolean): void {
    if (urgent) this.#urgent.push(item)
    else this.#others.push(item)
  }

  peek(): Item | null {
    return this.#urgent.peek() ?? this.#others.peek()
  }

  shift(): Item | null {
    return this.#urgent.shift() ?? this.#others.shift()
  }

  /** Everything, in order; nobody waits afterwards. */
  drain(): Item[] {
    return this.#urgent.drain().concat(this.#others.drain())
  }

  some(test: (item: Item) => boolean): boolean {
    return this.#urgent.some(test) || this.#others.some(test)
  }

  /** Lets go of those that `stays` is false for, the oldest first. */
  keep(stays: (item: Item) => boolean): void {
    this.#urgent.keep(stays)
    this.#others.keep(stays)
  }
}
