/**
 * Hot: encodes HPACK field blocks (RFC 7541). `HpackEncoder` uses the dynamic table, one for each
 * connection. The functions use none: what they write is good for every connection, so it can be kept.
 */
import { huffmanSize, writeHuffman } from './hpack-huffman.ts'
import {
  DEFAULT_TABLE_SIZE,
  DynamicTable,
  ENTRY_OVERHEAD,
  STATIC_ENTRIES,
  staticIndex,
  staticNames,
  staticValues,
} from './hpack-table.ts'

/** Bytes that a field takes at most without an index. */
export function mostFieldSize(name: string, value: string): number {
  // Two lengths and a representation; a string is written as it is where Huffman's code would be longer.
  return name.length + value.length + 16
}

/** Writes a field that nobody remembers (§6.2.2; `sensitive`: §6.2.3); returns where it ends. */
export function writeField(
  into: Uint8Array,
  at: number,
  name: string,
  value: string,
  sensitive = false,
): number {
  const index = staticIndex.get(name) ?? 0
  if (!sensitive && index > 0) {
    const exact = exactIndex(index, name, value)
    if (exact > 0) return writeInteger(into, at, 0x80, 7, exact)
  }
  const to = writeInteger(into, at, sensitive ? 0x10 : 0, 4, index)
  return writeString(into, index > 0 ? to : writeString(into, to, name), value)
}

/** The entry of the static table with this value, of those with this name; 0: none. */
function exactIndex(first: number, name: string, value: string): number {
  for (let index = first; index <= STATIC_ENTRIES && staticNames[index] === name; index++) {
    if (staticValues[index] === value && value !== '') return index
  }
  return 0
}

/** §5.1. `pattern`: the bits before the prefix. */
export function writeInteger(
  into: Uint8Array,
  at: number,
  pattern: number,
  prefix: number,
  value: number,
): number {
  const most = (1 << prefix) - 1
  if (value < most) {
    into[at] = pattern | value
    return at + 1
  }
  let to = at
  into[to++] = pattern | most
  let rest = value - most
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) into[to++] = (rest & 0x7f) | 0x80
  into[to++] = rest
  return to
}

/** §5.2, whichever way is shorter. */
function writeString(into: Uint8Array, at: number, text: string): number {
  const { length } = text
  const size = huffmanSize(text)
  if (size < length) return writeHuffman(into, writeInteger(into, at, 0x80, 7, size), text)
  const from = writeInteger(into, at, 0, 7, length)
  for (let i = 0; i < length; i++) into[from + i] = text.charCodeAt(i)
  return from + length
}

/** Values that are never the same again: an entry of the table would be lost on them. */
const NOT_INDEXED = new Set([':path', 'content-length', 'date', 'etag', 'last-modified', 'age'])
/** §7.1.3: what a guesser must not be able to find by compression. */
const SENSITIVE = new Set(['authorization', 'proxy-authorization'])
/** Cookies this short could be guessed. */
const SHORT_COOKIE = 20

export class HpackEncoder {
  readonly #table: DynamicTable
  readonly #most: number
  /** Name and value, and names alone, to the number of the newest entry that has them. */
  readonly #exact = new Map<string, number>()
  readonly #named = new Map<string, number>()
  /** Announced at the beginning of the next block: the smallest size since the last one (§4.2), and the last. */
  #smallest = -1

  /** `most`: bytes of the table, at most what the other side allows (until it says so: 4096). */
  constructor(most: number = DEFAULT_TABLE_SIZE) {
    this.#most = Math.min(most, DEFAULT_TABLE_SIZE)
    this.#table = new DynamicTable(this.#most)
    if (this.#most < DEFAULT_TABLE_SIZE) this.#smallest = this.#most
  }

  /** Bytes of the dynamic table, as §4.1 counts them. */
  get size(): number {
    return this.#table.size
  }

  /** The other side has told SETTINGS_HEADER_TABLE_SIZE. */
  allow(size: number): void {
    const limit = Math.min(size, this.#most)
    if (limit === this.#table.limit) return
    this.#smallest = this.#smallest < 0 ? limit : Math.min(this.#smallest, limit)
    this.#table.resize(limit)
  }

  /** Writes what a block has to begin with; room for 12 bytes is needed. Returns where it ends. */
  begin(into: Uint8Array, at: number): number {
    if (this.#smallest < 0) return at
    const { limit } = this.#table
    let to = at
    if (this.#smallest < limit) to = writeInteger(into, to, 0x20, 5, this.#smallest)
    this.#smallest = -1
    return writeInteger(into, to, 0x20, 5, limit)
  }

  /** Writes a field in lower case; room for `mostFieldSize` is needed. Returns where it ends. */
  write(into: Uint8Array, at: number, name: string, value: string): number {
    if (SENSITIVE.has(name) || (name === 'cookie' && value.length < SHORT_COOKIE)) {
      return writeField(into, at, name, value, true)
    }
    const known = staticIndex.get(name) ?? 0
    const exact = known > 0 ? exactIndex(known, name, value) : 0
    if (exact > 0) return writeInteger(into, at, 0x80, 7, exact)
    const key = `${name}\0${value}`
    const kept = this.#indexOf(this.#exact, key)
    if (kept > 0) return writeInteger(into, at, 0x80, 7, kept)
    const index = known > 0 ? known : this.#indexOf(this.#named, name)
    const worth =
      !NOT_INDEXED.has(name) &&
      name.length + value.length + ENTRY_OVERHEAD <= this.#table.limit >> 1
    const to = writeInteger(into, at, worth ? 0x40 : 0, worth ? 6 : 4, index)
    const end = writeString(into, index > 0 ? to : writeString(into, to, name), value)
    if (worth) this.#add(name, key, value)
    return end
  }

  #indexOf(map: Map<string, number>, key: string): number {
    const number = map.get(key)
    if (number === undefined) return 0
    const age = this.#table.added - number
    if (age < this.#table.count) return STATIC_ENTRIES + 1 + age
    map.delete(key)
    return 0
  }

  #add(name: string, key: string, value: string): void {
    this.#table.add(name, value)
    // Evicted entries stay in the maps until then: they are few, and looked at before they are used.
    if (this.#exact.size > 512) this.#exact.clear()
    if (this.#named.size > 512) this.#named.clear()
    this.#exact.set(key, this.#table.added)
    this.#named.set(name, this.#table.added)
  }
}
