/** Things that come and go by the thousand. A Set that they come to and leave keeps the gone ones alive in its old tables. */
export interface Placed {
  /** Where it stands among the others. */
  place: number
}

export class Places<One extends Placed> {
  readonly #all: One[] = []

  get size(): number {
    return this.#all.length
  }

  add(one: One): void {
    one.place = this.#all.length
    this.#all.push(one)
  }

  remove(one: One): void {
    const last = this.#all.pop()
    if (last === undefined || last === one) return
    this.#all[one.place] = last
    last.place = one.place
  }

  /** From the last on, so that one that goes meanwhile moves none that is still to come. */
  each(visit: (one: One) => void): void {
    for (let i = this.#all.length - 1; i >= 0; i--) {
      const one = this.#all[i]
      if (one !== undefined) visit(one)
    }
  }
}
