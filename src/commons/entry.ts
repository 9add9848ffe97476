import { never } from './clock.ts'
import { Deque } from './deque.ts'
import type { Keyspace } from './keyspace.ts'

/** What a key holds: a string, a list, or a hash. Bytes are latin-1 text. */
export type Value = string | Deque | Map<string, string>

export class Entry {
  readonly space: Keyspace
  readonly key: string
  value: Value
  /** On our clock, ms. */
  expires: number = never
  /** Bytes that it counts for. */
  cost = 0
  /** memcached's. */
  flags = 0
  /** Another after each change: memcached's "cas unique". */
  version = 0
  /** Grows in the order in which keys came into being. */
  serial = 0
  /** Asked for since the hand of SIEVE passed. */
  visited = false
  newer: Entry | null = null
  older: Entry | null = null

  constructor(space: Keyspace, key: string, value: Value) {
    this.space = space
    this.key = key
    this.value = value
  }
}

export function typeName(value: Value | undefined): string {
  if (value === undefined) return 'none'
  if (typeof value === 'string') return 'string'
  return value instanceof Deque ? 'list' : 'hash'
}
