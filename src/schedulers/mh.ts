/**
 * Maglev hashing (Eisenbud et al., NSDI 2016, §3.4), with the kernel's hashes and table: every backend
 * fills its own permutation of the table's places, so hardly any place changes hands when one comes or
 * goes, and all get the same share, by weight.
 */
import { addressNumber } from './address-number.ts'
import type { ReadKey } from './keys.ts'
import { MAGLEV_SIZES } from './maglev-sizes.ts'
import { type Backend, choosing, firstOpen, isOpen, type Scheduler } from './scheduler.ts'
import { hostPort } from './server-name.ts'
import { sipHash } from './sip-hash.ts'
import { gcd } from './turns.ts'

const KEY = 2_654_435_761
const SKIP_KEY = 2_654_446_892

export interface MhOptions {
  readonly key: ReadKey
  /** The visitor's port counts, too (LVS: `mh-port`). */
  readonly port: boolean
  /** Another one answers for a backend that cannot (LVS: `mh-fallback`). */
  readonly fallback: boolean
  /** One of MAGLEV_SIZES. */
  readonly table: number
}

export function mh({ key: read, port, fallback, table: size }: MhOptions): Scheduler {
  let filled: readonly Backend[] = []
  let table: Int32Array | null = null
  return choosing('mh', (backends, key, asked) => {
    if (backends !== filled) {
      filled = backends
      table = maglevTable(backends, size)
    }
    if (table === null) return -1
    const number = addressNumber(read(key)) + (port ? key.peer.port : 0)
    const place = sipHash(number, KEY) % size
    const own = table[place]!
    if (isOpen(backends[own]!, own, asked)) return own
    if (!fallback) return -1
    const first = firstOpen(backends, asked)
    if (first < 0) return -1
    for (let i = 0; i < size; i++) {
      const at = table[sipHash(number + ((place + i) % size), KEY) % size]!
      if (isOpen(backends[at]!, at, asked)) return at
    }
    return first
  })
}

/** Whose each place is, by index; null: nobody has weight. */
export function maglevTable(backends: readonly Backend[], size: number): Int32Array | null {
  const rows = turnsOf(backends, size).flatMap((turns, at) =>
    turns === 0 ? [] : [{ at, turns, ...permutation(backends[at]!.name, size) }],
  )
  if (rows.length === 0) return null
  const table = new Int32Array(size).fill(-1)
  for (let filled = 0; ; ) {
    for (const row of rows) {
      for (let turn = 0; turn < row.turns; turn++) {
        while (table[row.place] !== -1) row.place = (row.place + row.skip) % size
        table[row.place] = row.at
        if (++filled === size) return table
      }
    }
  }
}

/** Where a backend's permutation begins, and how it goes on. */
function permutation(name: string, size: number): { place: number; skip: number } {
  const { host, port } = hostPort(name)
  const number = addressNumber(host.replace(/^\[|\]$/g, '')) + Number(port)
  return { place: sipHash(number, KEY) % size, skip: (sipHash(number, SKIP_KEY) % (size - 1)) + 1 }
}

/** How many places each takes in a round: its weight, cut down so that a round stays small. */
function turnsOf(backends: readonly Backend[], size: number): number[] {
  const weights = backends.map(({ weight }) => weight)
  const divisor = weights.reduce(gcd, 0)
  if (divisor === 0) return weights
  // `IP_VS_MH_TAB_BITS` of the kernel's configuration for that size.
  const bits = (MAGLEV_SIZES.indexOf(size) + 8) >> 1
  const shift = Math.max(0, 32 - Math.clz32(Math.max(...weights) / divisor) - bits)
  return weights.map((weight) => (weight === 0 ? 0 : (weight / divisor) >> shift || 1))
}
