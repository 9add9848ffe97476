/**
 * Commands of memcached's text protocol, in whatever pieces they come. Pure, strict and bounded. Bytes are
 * latin-1 text. https://github.com/memcached/memcached/blob/master/doc/protocol.txt
 */
import { Gather } from './gather.ts'

/** With the keys of a `get` for many. */
const LONGEST_LINE = 65_536
const LF = 0x0a
/** Of a command that stores, as far as one is sane. */
const LONGEST_WORDS = 512
/** The commands that have a data block, whose length is their fifth word. */
const STORING: ReadonlySet<string> = new Set(['set', 'add', 'replace', 'append', 'prepend', 'cas'])

export interface MemcachedCommand {
  readonly words: readonly string[]
  /** Of a command that stores; null when it was too large, or did not end where it should. */
  readonly data: string | null
  readonly wrong: '' | 'too large' | 'bad end' | 'bad length'
}

/** What breaks the protocol: the connection cannot go on. */
export class MemcachedError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MemcachedError'
  }
}

export class MemcachedDecoder {
  readonly #longest: number
  readonly #data = new Gather()
  #line = ''
  #words: string[] | null = null
  #length = 0
  /** The command that the last `decode` completed; null for none. */
  command: MemcachedCommand | null = null

  /** `longest`: data block, bytes; a longer one is read over. */
  constructor(longest: number) {
    this.#longest = longest
  }

  /** What is kept of a command that has not come as a whole, bytes. */
  get pending(): number {
    if (this.#words === null) return this.#line.length
    return Math.min(this.#length, this.#longest) + LONGEST_WORDS
  }

  /** Takes up to the end of one command; returns where that ends. Throws a MemcachedError. */
  decode(bytes: Buffer, from: number, to: number): number {
    this.command = null
    let at = from
    if (this.#words === null) {
      at = this.#takeLine(bytes, from, to)
      if (this.#words === null) return at
    }
    if (at === to) return at
    at = this.#data.take(bytes, at, to)
    if (this.#data.complete) this.#store()
    return at
  }

  #takeLine(bytes: Buffer, from: number, to: number): number {
    const found = bytes.subarray(from, to).indexOf(LF)
    const end = found < 0 ? to : from + found
    if (this.#line.length + end - from > LONGEST_LINE) throw new MemcachedError('line too long')
    this.#line += bytes.toString('latin1', from, end)
    if (found < 0) return to
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line
    this.#line = ''
    const words = line.split(' ').filter((word) => word !== '')
    // Copies: a part of a string keeps all of it.
    const long = line.length > LONGEST_WORDS
    this.#begin(long ? words.map((word) => Buffer.from(word, 'latin1').toString('latin1')) : words)
    return end + 1
  }

  #begin(words: string[]): void {
    const isStoring = STORING.has(words[0] ?? '') && words.length >= 5
    if (!isStoring) {
      this.command = { words, data: null, wrong: '' }
      return
    }
    const length = words[4]!
    if (!/^\d{1,10}$/.test(length)) {
      this.command = { words, data: null, wrong: 'bad length' }
      return
    }
    this.#words = words
    this.#length = Number(length)
    // With the end of its line.
    this.#data.expect(this.#length + 2, this.#length <= this.#longest)
  }

  #store(): void {
    const words = this.#words!
    this.#words = null
    const { block } = this.#data
    this.#data.block = null
    if (block === null) this.command = { words, data: null, wrong: 'too large' }
    else if (block.toString('latin1', this.#length) !== '\r\n') {
      this.command = { words, data: null, wrong: 'bad end' }
    } else this.command = { words, data: block.toString('latin1', 0, this.#length), wrong: '' }
  }
}
