/**
 * Whose turn it is among the answers that wait for room (RFC 9218 §10): the most urgent; of equals, those
 * whose parts are of use take turns, a frame each, and the others go one after another.
 */
import type { Priority } from '../../wire/priority.ts'

interface Waiting {
  readonly id: number
  priority: Priority
  /** It stands in the line of this urgency; -1: in none. */
  line: number
}

const URGENCIES = 8

export class Turns<One extends Waiting> {
  /** By urgency; made when somebody waits. */
  readonly #lines: One[][] = []
  #count = 0

  /** Nobody waits. */
  get none(): boolean {
    return this.#count === 0
  }

  add(one: One): void {
    if (one.line >= 0) return
    const { urgency, incremental } = one.priority
    while (this.#lines.length < URGENCIES) this.#lines.push([])
    const line = this.#lines[urgency]!
    one.line = urgency
    this.#count++
    if (incremental) line.push(one)
    else this.#addInOrder(line, one)
  }

  /** Before all that were asked for later, and all that share. */
  #addInOrder(line: One[], one: One): void {
    let place = 0
    while (place < line.length && !line[place]!.priority.incremental && line[place]!.id < one.id) {
      place++
    }
    line.splice(place, 0, one)
  }

  remove(one: One): void {
    if (one.line < 0) return
    const line = this.#lines[one.line]!
    line.splice(line.indexOf(one), 1)
    one.line = -1
    this.#count--
  }

  /** Whose turn it is, taken out of the line; null when nobody waits. */
  next(): One | null {
    if (this.#count === 0) return null
    for (const line of this.#lines) {
      const one = line.shift()
      if (one === undefined) continue
      one.line = -1
      this.#count--
      return one
    }
    return null
  }
}
