/**
 * Remembers what was prepared for a path. All caches of a thread share one bound; when it is reached
 * they all start anew, which is cheaper than an order of use: a working set that fits is soon back.
 */

/** Per thread. */
const MOST_BYTES = 33_554_432
const MOST_ENTRIES = 8192

const caches = new Set<{ clear(): void }>()
let usedBytes = 0
let usedEntries = 0

export class PathCache<Entry> {
  readonly #bytesOf: (entry: Entry) => number
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  /** `bytesOf`: the memory that an entry holds. */
  constructor(bytesOf: (entry: Entry) => number) {
    this.#bytesOf = bytesOf
    caches.add(this)
  }

  get(path: string): Entry | undefined {
    return this.#entries.get(path)
  }

  set(path: string, entry: Entry): void {
    this.delete(path)
    const bytes = this.#bytesOf(entry)
    if (usedBytes + bytes > MOST_BYTES || usedEntries >= MOST_ENTRIES) {
      for (const cache of caches) cache.clear()
    }
    // The key may be a part of a larger text: keep a copy of its own.
    this.#entries.set(Buffer.from(path, 'latin1').toString('latin1'), entry)
    this.#bytes += bytes
    usedBytes += bytes
    usedEntries++
  }

  delete(path: string): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    const bytes = this.#bytesOf(entry)
    this.#bytes -= bytes
    usedBytes -= bytes
    usedEntries--
  }

  clear(): void {
    usedBytes -= this.#bytes
    usedEntries -= this.#entries.size
    this.#bytes = 0
    this.#entries.clear()
  }

  /** Gives its share back for good. */
  close(): void {
    this.clear()
    caches.delete(this)
  }
}
