/**
 * Hot: which string goes when memory is short. SIEVE (Zhang and others, "SIEVE is Simpler than LRU", NSDI
 * 2024): a hit sets one flag and moves nothing; a hand goes from the oldest to the newest and takes the
 * first that was not asked for since it last passed. What is asked for once goes before what is asked for
 * again, so a scan over everything does not empty the cache, as it does with LRU.
 */
import type { Entry } from './entry.ts'

export class Sieve {
  #newest: Entry | null = null
  #oldest: Entry | null = null
  #hand: Entry | null = null
  /** Given up so far. */
  evicted = 0

  add(entry: Entry): void {
    entry.visited = false
    entry.older = this.#newest
    entry.newer = null
    if (this.#newest !== null) this.#newest.newer = entry
    else this.#oldest = entry
    this.#newest = entry
  }

  remove(entry: Entry): void {
    const { newer, older } = entry
    if (this.#hand === entry) this.#hand = newer
    if (newer !== null) newer.older = older
    else this.#newest = older
    if (older !== null) older.newer = newer
    else this.#oldest = newer
    entry.newer = null
    entry.older = null
  }

  /** Removes one from its keyspace; false when none is left. */
  giveUp(): boolean {
    let entry = this.#hand ?? this.#oldest
    if (entry === null) return false
    while (entry.visited) {
      entry.visited = false
      entry = entry.newer ?? this.#oldest!
    }
    this.#hand = entry.newer
    this.evicted++
    entry.space.remove(entry)
    return true
  }
}
