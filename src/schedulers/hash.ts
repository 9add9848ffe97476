/**
 * A hash of any key, as nginx's `hash` without `consistent` and Cache::Memcached have it. When a backend
 * comes or goes, most keys move: see ring.ts.
 */
import { CRC_BEGIN, crcEnd, crcText } from '../wire/crc32.ts'
import type { ReadKey } from './keys.ts'
import { type Asked, type Backend, choosing, isOpen, type Scheduler } from './scheduler.ts'
import { Turns } from './turns.ts'

/** After so many hashes that led to nobody who is open, it is by turns. */
const MOST_TRIES = 20

/** `cells`: shared memory for the turns of requests without the key. */
export function hash(read: ReadKey, cells: Int32Array): Scheduler {
  const turns = new Turns(cells)
  let weighed: readonly Backend[] = []
  let sum = 0
  return choosing('hash', (backends, key, asked) => {
    if (backends !== weighed) {
      weighed = backends
      sum = backends.reduce((all, { weight }) => all + weight, 0)
    }
    if (sum === 0) return -1
    const text = read(key)
    if (text !== '') {
      const at = rehashed(backends, asked, text, sum)
      if (at >= 0) return at
    }
    return ownTurn(turns, backends, asked)
  })
}

/** By turns, for a request that has no key. */
export function ownTurn(turns: Turns, backends: readonly Backend[], asked: Asked): number {
  const at = asked === null ? turns.next(backends) : -1
  return at >= 0 && isOpen(backends[at]!, at, asked) ? at : turns.instead(backends, asked)
}

/** `((crc32([REHASH] KEY) >> 16) & 0x7fff) + PREV_HASH` modulo all weights; -1: nobody who is open. */
function rehashed(backends: readonly Backend[], asked: Asked, text: string, sum: number): number {
  let number = 0
  for (let rehash = 0; rehash <= MOST_TRIES; rehash++) {
    const before = rehash === 0 ? CRC_BEGIN : crcText(CRC_BEGIN, String(rehash))
    number += (crcEnd(crcText(before, text)) >>> 16) & 0x7fff
    const at = whose(backends, number % sum)
    if (isOpen(backends[at]!, at, asked)) return at
  }
  return -1
}

function whose(backends: readonly Backend[], lot: number): number {
  let left = lot
  let at = 0
  while (left >= backends[at]!.weight) left -= backends[at++]!.weight
  return at
}
