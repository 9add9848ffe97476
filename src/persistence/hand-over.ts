/**
 * Whose visitors are, told by a server process to its successor: a reload moves nobody. Visitors are told
 * by the hashes of what they are known by, which all generations make with the same key.
 */
import type { PoolPlan } from '../site/plan.ts'
import { Belongings } from './table.ts'

/** Of one pool. */
export interface ToldBelongings {
  /** As the owner wrote them: their order may be another one by now. */
  readonly servers: readonly string[]
  /** See `Belongings.tell`, as base64. */
  readonly entries: string
}

/** By pool. */
export type AllBelongings = Readonly<Record<string, ToldBelongings>>

/** More visitors of a pool are not told: those who came last are. */
const MOST_TOLD = 200_000

type Pools = Readonly<Record<string, PoolPlan>>
type Memory = Readonly<Record<string, SharedArrayBuffer>>

export function tellBelongings(pools: Pools, memory: Memory): AllBelongings {
  const pairs = Object.entries(memory).map(([pool, own]): [string, ToldBelongings] => {
    const servers = pools[pool]?.servers.map(({ name }) => name) ?? []
    const entries = new Belongings(own, 0).tell(MOST_TOLD)
    return [pool, { servers, entries: Buffer.from(entries.buffer).toString('base64') }]
  })
  return Object.fromEntries(pairs)
}

/** Of pools that know their visitors in the same way. A server that is gone has none. */
export function takeBelongings(told: AllBelongings, pools: Pools, memory: Memory): void {
  for (const [pool, { servers, entries }] of Object.entries(told)) {
    const own = memory[pool]
    const names = pools[pool]?.servers.map(({ name }) => name) ?? []
    if (own === undefined) continue
    const bytes = Buffer.from(entries, 'base64')
    const numbers = new Int32Array(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    )
    new Belongings(own, 0).take(numbers, (server) => names.indexOf(servers[server] ?? ''))
  }
}
