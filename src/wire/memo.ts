/** Remembers the results of a pure function of a short string, within a bound. */

/** Longer keys are not remembered. */
const LONGEST_KEY = 2048

/**
 * A bounded memo. When it is full it starts anew: cheaper than an order of use, and a working set
 * that fits is soon back. Keys may be substrings of a larger buffer's text: `own` makes a flat copy.
 */
export class Memo<Value> {
  readonly #most: number
  #known = new Map<string, Value>()

  constructor(most: number) {
    this.#most = most
  }

  get(key: string): Value | undefined {
    return this.#known.get(key)
  }

  /** Stores and returns `value`. `own` yields the same text as `key` in memory of its own. */
  put(key: string, value: Value, own: () => string): Value {
    if (key.length <= LONGEST_KEY) {
      if (this.#known.size >= this.#most) this.#known = new Map()
      this.#known.set(own(), value)
    }
    return value
  }
}
