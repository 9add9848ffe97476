/** Remembers the results of a pure function of a short string, within a bound. */

/** Longer keys are not remembered. */
const LONGEST_KEY = 2048
/** When remembering did not pay, this many times as many results as there is room for go by unremembered. */
const REST = 16

/**
 * A bounded memo. When it is full it starts anew: cheaper than an order of use, and a working set that
 * fits is soon back. One that was seldom of use while it filled rests for a while: where every key is
 * new, remembering is only work. Keys may be substrings of a larger buffer's text: `own` makes a flat
 * copy.
 */
export class Memo<Value> {
  readonly #most: number
  #known = new Map<string, Value>()
  /** What was found last: comparing a text costs a tenth of looking it up. */
  #lastKey = ''
  #lastValue: Value | undefined = undefined
  /** Results found since it was last empty. */
  #found = 0
  /** Results still to go by unremembered. */
  #resting = 0

  constructor(most: number) {
    this.#most = most
  }

  get(key: string): Value | undefined {
    if (this.#resting > 0) return undefined
    const isLast = this.#lastValue !== undefined && key === this.#lastKey
    const value = isLast ? this.#lastValue : this.#known.get(key)
    if (value === undefined) return undefined
    this.#found++
    if (!isLast) {
      this.#lastKey = key
      this.#lastValue = value
    }
    return value
  }

  /** Stores and returns `value`. `own` yields the same text as `key` in memory of its own. */
  put(key: string, value: Value, own: () => string): Value {
    if (this.#resting > 0) this.#resting--
    else if (key.length <= LONGEST_KEY) {
      if (this.#known.size >= this.#most) this.#clear()
      this.#known.set(own(), value)
    }
    return value
  }

  #clear(): void {
    if (this.#found < this.#most) this.#resting = this.#most * REST
    this.#known = new Map()
    this.#lastValue = undefined
    this.#found = 0
  }
}
