/** Destination hash, as LVS has it for caches: what is asked for decides; weights do not matter. */
import { addressNumber } from './address-number.ts'
import { buckets } from './buckets.ts'
import type { ReadKey } from './keys.ts'
import type { Scheduler } from './scheduler.ts'

/** `fallback`: another one answers for a backend that cannot. */
export function dh(destination: ReadKey, fallback: boolean): Scheduler {
  return buckets(
    'dh',
    () => 1,
    (key) => addressNumber(destination(key)),
    fallback,
  )
}
