/**
 * The ketama ring of nginx's `hash … consistent` and of Cache::Memcached::Fast: every backend has 160
 * points for each unit of its weight, a key belongs to the next point. When a backend comes or goes, only
 * its own keys move.
 */
import { CRC_BEGIN, crc32, crcByte, crcEnd, crcText } from '../wire/crc32.ts'
import { ownTurn } from './hash.ts'
import type { ReadKey } from './keys.ts'
import {
  type Asked,
  type Backend,
  choosing,
  firstOpen,
  isOpen,
  type Scheduler,
} from './scheduler.ts'
import { hostPort } from './server-name.ts'
import { Turns } from './turns.ts'

const POINTS = 160

/** `cells`: shared memory for the turns of requests without the key. */
export function ring(read: ReadKey, cells: Int32Array): Scheduler {
  const turns = new Turns(cells)
  let known: readonly Backend[] = []
  let points = new Ring([])
  return choosing('hash', (backends, key, asked) => {
    if (backends !== known) {
      known = backends
      points = new Ring(backends)
    }
    const text = read(key)
    return text === '' ? ownTurn(turns, backends, asked) : points.find(backends, asked, crc32(text))
  })
}

export class Ring {
  /** Sorted, each once. */
  readonly points: Uint32Array
  /** Whose they are, by index. */
  readonly owners: Uint16Array

  constructor(backends: readonly Backend[]) {
    const marks: number[] = []
    for (const [at, { name, weight }] of backends.entries()) {
      const state = seed(name)
      let point = 0
      for (let i = 0; i < weight * POINTS; i++) {
        point = next(state, point)
        marks.push(point * 65_536 + at)
      }
    }
    // 48 bits: a Float64 holds them exactly, and sorts fast. Of equal points the first backend's stays.
    const sorted = Float64Array.from(marks).sort()
    const single = sorted.filter(
      (mark, i) => i === 0 || Math.floor(mark / 65_536) !== Math.floor(sorted[i - 1]! / 65_536),
    )
    this.points = Uint32Array.from(single, (mark) => Math.floor(mark / 65_536))
    this.owners = Uint16Array.from(single, (mark) => mark % 65_536)
  }

  /** The open backend of the next point from `number` on, or -1. */
  find(backends: readonly Backend[], asked: Asked, number: number): number {
    const { owners } = this
    const { length } = owners
    if (length === 0) return -1
    const from = this.#from(number) % length
    const own = owners[from]!
    if (isOpen(backends[own]!, own, asked)) return own
    // A heavy one has many points in a row: nobody walks them in vain.
    if (firstOpen(backends, asked) < 0) return -1
    for (let i = 1; i < length; i++) {
      const at = owners[(from + i) % length]!
      if (isOpen(backends[at]!, at, asked)) return at
    }
    return -1
  }

  #from(number: number): number {
    const { points } = this
    let low = 0
    let high = points.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (points[middle]! < number) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** crc32(HOST \0 PORT … */
function seed(name: string): number {
  const { host, port } = hostPort(name)
  return crcText(crcByte(crcText(CRC_BEGIN, host), 0), port)
}

/** … PREVIOUS), the previous point in little-endian bytes. */
function next(state: number, previous: number): number {
  let crc = state
  for (let shift = 0; shift < 32; shift += 8) crc = crcByte(crc, (previous >>> shift) & 0xff)
  return crcEnd(crc)
}
