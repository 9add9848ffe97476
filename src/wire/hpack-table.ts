/** The two tables of HPACK (RFC 7541 §2.3): what is known from the start, and what a connection has learned. */

/** Appendix A; index 1 is the first. */
const STATIC: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
]

export const STATIC_ENTRIES: number = STATIC.length
/** By index; 0 is none. */
export const staticNames: readonly string[] = ['', ...STATIC.map(([name]) => name)]
export const staticValues: readonly string[] = ['', ...STATIC.map(([, value]) => value)]

/** The first index with a name. */
export const staticIndex: ReadonlyMap<string, number> = new Map(
  STATIC.map(([name], i): [string, number] => [name, i + 1]).reverse(),
)

/** What an entry counts beside its name and value (§4.1), bytes. */
export const ENTRY_OVERHEAD = 32
/** Of a table that nobody has set (RFC 9113 §6.5.2), bytes. */
export const DEFAULT_TABLE_SIZE = 4096

/** The dynamic table (§2.3.2): the newest entry first, the oldest evicted. Text is latin-1. */
export class DynamicTable {
  /** A ring: the newest is at `#newest`. */
  #names: string[] = []
  #values: string[] = []
  #newest = -1
  #count = 0
  #size = 0
  #limit: number
  /** Entries ever added. */
  added = 0
  /** Changes when any index may mean something else. */
  version = 0

  constructor(limit: number = DEFAULT_TABLE_SIZE) {
    this.#limit = limit
  }

  get count(): number {
    return this.#count
  }

  get size(): number {
    return this.#size
  }

  get limit(): number {
    return this.#limit
  }

  /** Of the entry that was added `age` entries ago (0: the newest). */
  name(age: number): string {
    return this.#names[this.#place(age)]!
  }

  value(age: number): string {
    return this.#values[this.#place(age)]!
  }

  #place(age: number): number {
    const place = this.#newest - age
    return place < 0 ? place + this.#names.length : place
  }

  /** Larger than the whole table: it becomes empty, and that is no error (§4.4). */
  add(name: string, value: string): void {
    const size = name.length + value.length + ENTRY_OVERHEAD
    this.version++
    this.#evict(this.#limit - size)
    if (size > this.#limit) return
    if (this.#count === this.#names.length) this.#grow()
    this.#newest = (this.#newest + 1) % this.#names.length
    this.#names[this.#newest] = name
    this.#values[this.#newest] = value
    this.#count++
    this.#size += size
    this.added++
  }

  resize(limit: number): void {
    this.#limit = limit
    this.version++
    this.#evict(limit)
  }

  #evict(room: number): void {
    while (this.#count > 0 && this.#size > room) {
      const oldest = this.#place(this.#count - 1)
      this.#size -= this.#names[oldest]!.length + this.#values[oldest]!.length + ENTRY_OVERHEAD
      this.#names[oldest] = ''
      this.#values[oldest] = ''
      this.#count--
    }
  }

  #grow(): void {
    const names: string[] = []
    const values: string[] = []
    for (let age = this.#count - 1; age >= 0; age--) {
      names.push(this.name(age))
      values.push(this.value(age))
    }
    const room = Math.max(8, this.#count * 2)
    while (names.length < room) {
      names.push('')
      values.push('')
    }
    this.#names = names
    this.#values = values
    this.#newest = this.#count - 1
  }
}
