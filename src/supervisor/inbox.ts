/** What the supervisor was asked to do. Signal handlers and the admin socket only put something in. */
export class Inbox<Item> {
  #items: Item[] = []
  #wake: (() => void) | null = null

  put(item: Item): void {
    this.#items.push(item)
    this.#wake?.()
  }

  /** Takes all waiting items that `matches`, in order, without waiting. */
  takeAll<Kind extends Item>(matches: (item: Item) => item is Kind): Kind[] {
    const taken = this.#items.filter(matches)
    this.#items = this.#items.filter((item) => !matches(item))
    return taken
  }

  /** The oldest item; waits for one. */
  async next(): Promise<Item> {
    for (;;) {
      const item = this.#items.shift()
      if (item !== undefined) return item
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
  }
}
