/** Source hash, as LVS has it: the visitor's address decides, so its requests stay with one backend. */
import { addressNumber } from './address-number.ts'
import { buckets } from './buckets.ts'
import type { Scheduler } from './scheduler.ts'

export interface ShOptions {
  /** The visitor's port counts, too (LVS: `sh-port`). */
  readonly port: boolean
  /** Another one answers for a backend that cannot (LVS: `sh-fallback`). */
  readonly fallback: boolean
}

export function sh({ port, fallback }: ShOptions): Scheduler {
  return buckets(
    'sh',
    ({ weight }) => weight,
    ({ peer }) => addressNumber(peer.address) + (port ? peer.port : 0),
    fallback,
  )
}
