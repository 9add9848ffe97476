/**
 * Hot: decodes HPACK field blocks (RFC 7541). Pure, strict, bounded: integers end below 2^28, the table
 * never exceeds what was allowed, and whoever receives the fields decides when there are enough of them
 * (the block has to be decoded to its end all the same, or the table is wrong for the next one).
 */
import { decodeHuffman } from './hpack-huffman.ts'
import {
  DEFAULT_TABLE_SIZE,
  DynamicTable,
  STATIC_ENTRIES,
  staticNames,
  staticValues,
} from './hpack-table.ts'

/** What is no HPACK: a connection error of type COMPRESSION_ERROR. */
export class HpackFault extends Error {
  override readonly name = 'HpackFault'
}

/** `sensitive`: never to be indexed by whoever passes it on (§7.1.3). Text is latin-1. */
export type FieldSink = (name: string, value: string, sensitive: boolean) => void

/** Larger numbers name no index and no size that we would take. */
const MOST = 1 << 28

export class HpackDecoder {
  readonly #table: DynamicTable
  /** What we allowed the other side (SETTINGS_HEADER_TABLE_SIZE), bytes. */
  readonly #allowed: number
  #at = 0

  constructor(allowed: number = DEFAULT_TABLE_SIZE) {
    this.#allowed = allowed
    this.#table = new DynamicTable(allowed)
  }

  /** While it stays, the same bytes are the same fields, and decoding them has no other effect. */
  get version(): number {
    return this.#table.version
  }

  /** Bytes of the dynamic table, as §4.1 counts them. */
  get size(): number {
    return this.#table.size
  }

  /** Decodes the whole block `bytes[from, to)`. Throws HpackFault. */
  decode(bytes: Buffer, from: number, to: number, sink: FieldSink): void {
    const table = this.#table
    this.#at = from
    let begun = false
    while (this.#at < to) {
      const first = bytes[this.#at]!
      if ((first & 0x80) !== 0) {
        // §6.1: an indexed field.
        const index = this.#integer(bytes, to, 7)
        begun = true
        if (index === 0) throw new HpackFault('index 0')
        if (index <= STATIC_ENTRIES) sink(staticNames[index]!, staticValues[index]!, false)
        else {
          const age = this.#age(index)
          sink(table.name(age), table.value(age), false)
        }
      } else if ((first & 0xe0) === 0x20) {
        // §4.2: changes of the table's size come first in a block.
        if (begun) throw new HpackFault('a table size behind a field')
        const size = this.#integer(bytes, to, 5)
        if (size > this.#allowed) throw new HpackFault('a table larger than allowed')
        table.resize(size)
      } else {
        const indexed = (first & 0x40) !== 0
        const index = this.#integer(bytes, to, indexed ? 6 : 4)
        begun = true
        const name = index === 0 ? this.#string(bytes, to) : this.#nameAt(index)
        const value = this.#string(bytes, to)
        if (indexed) table.add(name, value)
        sink(name, value, (first & 0xf0) === 0x10)
      }
    }
  }

  #nameAt(index: number): string {
    return index <= STATIC_ENTRIES ? staticNames[index]! : this.#table.name(this.#age(index))
  }

  #age(index: number): number {
    const age = index - STATIC_ENTRIES - 1
    if (age >= this.#table.count) throw new HpackFault('an index beyond the table')
    return age
  }

  /** §5.1, with a prefix of so many bits. */
  #integer(bytes: Buffer, to: number, prefix: number): number {
    const most = (1 << prefix) - 1
    let value = bytes[this.#at++]! & most
    if (value < most) return value
    for (let shift = 0; ; shift += 7) {
      if (this.#at >= to) throw new HpackFault('an integer cut short')
      const byte = bytes[this.#at++]!
      value += (byte & 0x7f) * 2 ** shift
      if (value >= MOST || shift > 28) throw new HpackFault('an integer too large')
      if (byte < 0x80) return value
    }
  }

  /** §5.2. */
  #string(bytes: Buffer, to: number): string {
    if (this.#at >= to) throw new HpackFault('a string cut short')
    const huffman = (bytes[this.#at]! & 0x80) !== 0
    const length = this.#integer(bytes, to, 7)
    const from = this.#at
    if (length > to - from) throw new HpackFault('a string cut short')
    this.#at += length
    if (!huffman) return bytes.toString('latin1', from, this.#at)
    const text = decodeHuffman(bytes, from, this.#at)
    if (text === null) throw new HpackFault('a malformed Huffman code')
    return text
  }
}
