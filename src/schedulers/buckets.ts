/** LVS's table of 256 buckets, which `sh` and `dh` hash addresses into. */
import {
  type Asked,
  type Backend,
  choosing,
  firstOpen,
  isOpen,
  type Key,
  type Scheduler,
} from './scheduler.ts'

export const BUCKETS = 256
/** The kernel's `GOLDEN_RATIO_32`, by which `hash_32` multiplies. */
const GOLDEN_RATIO = 0x61c88647

/** The kernel's `hash_32`: the upper `bits` of the product. */
export function hash32(number: number, bits: number): number {
  return Math.imul(number, GOLDEN_RATIO) >>> (32 - bits)
}

/** How many buckets a backend fills before it is the next one's turn. */
type Fill = (backend: Backend) => number

/**
 * `fallback`: where the bucket's backend is not open, the next bucket's answers; else nobody does.
 */
export function buckets(
  name: string,
  fill: Fill,
  numberOf: (key: Key) => number,
  fallback: boolean,
): Scheduler {
  let filled: readonly Backend[] = []
  let table = new Uint16Array(0)
  return choosing(name, (backends, key, asked) => {
    if (backends.length === 0) return -1
    if (backends !== filled) {
      filled = backends
      table = fillTable(backends, fill)
    }
    return choose(backends, asked, table, hash32(numberOf(key), 8), fallback)
  })
}

function choose(
  backends: readonly Backend[],
  asked: Asked,
  table: Uint16Array,
  bucket: number,
  fallback: boolean,
): number {
  const most = fallback ? BUCKETS : 1
  for (let i = 0; i < most; i++) {
    const at = table[(bucket + i) % BUCKETS]!
    if (isOpen(backends[at]!, at, asked)) return at
  }
  // More backends than buckets, or weights that leave none for the last ones.
  return fallback ? firstOpen(backends, asked) : -1
}

/** In the order of the list, again and again. One without weight gets a bucket, too, as in the kernel. */
function fillTable(backends: readonly Backend[], fill: Fill): Uint16Array<ArrayBuffer> {
  const table = new Uint16Array(BUCKETS)
  let at = 0
  let own = 0
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    table[bucket] = at
    if (++own < fill(backends[at]!)) continue
    at = (at + 1) % backends.length
    own = 0
  }
  return table
}
