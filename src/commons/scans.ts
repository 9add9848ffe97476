/**
 * SCAN: everything that was there from the first call to the last is told, once. A cursor names a walk over
 * the keys in the order of their coming, which the next call goes on with; walks that were left off are
 * forgotten when there are many.
 */
import { Failure, type Reply } from '../wire/resp.ts'
import { type Entry, typeName } from './entry.ts'
import { LONGEST_PATTERN, matches } from './glob.ts'
import type { Keyspace } from './keyspace.ts'
import { integer, NOT_A_NUMBER, SYNTAX, TOO_LONG_A_PATTERN } from './words.ts'

const MOST_WALKS = 256
const COUNT = 10
const MOST_AT_ONCE = 10_000
/** Then the next call goes on, ms. */
const LONGEST_LOOK_MS = 5

interface Walk {
  readonly space: Keyspace
  readonly entries: MapIterator<Entry>
  /** What comes into being later is not told, so that the walk ends. */
  readonly last: number
}

export class Scans {
  readonly #walks = new Map<number, Walk>()
  #cursors = 0

  run(space: Keyspace, args: readonly string[]): Reply {
    const cursor = integer(args[1]!)
    if (cursor === null || cursor < 0) return new Failure('ERR invalid cursor')
    let [pattern, type, count] = ['*', '', COUNT]
    for (let i = 2; i < args.length; i += 2) {
      const value = args[i + 1]
      if (value === undefined) return SYNTAX
      const word = args[i]!.toUpperCase()
      if (word === 'MATCH') pattern = value
      else if (word === 'TYPE') type = value.toLowerCase()
      else if (word === 'COUNT') {
        const asked = integer(value)
        if (asked === null) return NOT_A_NUMBER
        if (asked < 1) return SYNTAX
        count = Math.min(asked, MOST_AT_ONCE)
      } else return SYNTAX
    }
    if (pattern.length > LONGEST_PATTERN) return TOO_LONG_A_PATTERN
    const walk = this.#walk(space, cursor)
    if (walk === undefined) return new Failure('ERR this cursor is too old: begin anew with 0')
    const found: string[] = []
    const until = performance.now() + LONGEST_LOOK_MS
    for (let seen = 0; seen < count; seen++) {
      if (seen % 16 === 15 && performance.now() > until) break
      const { done, value: entry } = walk.entries.next()
      if (done || entry.serial > walk.last) return ['0', found]
      if (space.isExpired(entry) || !matches(pattern, entry.key)) continue
      if (type === '' || typeName(entry.value) === type) found.push(entry.key)
    }
    return [String(this.#keep(walk)), found]
  }

  #walk(space: Keyspace, cursor: number): Walk | undefined {
    if (cursor === 0) return { space, entries: space.entries(), last: space.lastSerial }
    const walk = this.#walks.get(cursor)
    if (walk?.space !== space) return undefined
    this.#walks.delete(cursor)
    return walk
  }

  #keep(walk: Walk): number {
    for (const oldest of this.#walks.keys()) {
      if (this.#walks.size < MOST_WALKS) break
      this.#walks.delete(oldest)
    }
    this.#walks.set(++this.#cursors, walk)
    return this.#cursors
  }
}
