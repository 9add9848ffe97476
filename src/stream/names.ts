/** Which of several a server name belongs to: the exact one, then the longest `*.example.com`. */
export class Names<Value> {
  readonly #exact = new Map<string, Value>()
  /** By what follows the asterisk, the dot included. */
  readonly #wild = new Map<string, Value>()

  /** Names in lower case. */
  constructor(entries: Iterable<readonly [string, Value]>) {
    for (const [name, value] of entries) {
      if (name.startsWith('*.')) this.#wild.set(name.slice(1), value)
      else this.#exact.set(name, value)
    }
  }

  find(name: string): Value | undefined {
    const exact = this.#exact.get(name)
    if (exact !== undefined || this.#wild.size === 0) return exact
    for (let dot = name.indexOf('.'); dot > 0; dot = name.indexOf('.', dot + 1)) {
      const wild = this.#wild.get(name.slice(dot))
      if (wild !== undefined) return wild
    }
    return undefined
  }
}
