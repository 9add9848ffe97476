/** Figures of pools that retry, leave out, hedge or queue. */
import type { PoolCounts } from '../../balance/pool-counts.ts'
import { counter, gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

function perCountedPool(value: Of<PoolCounts, number>): PlainMetric['read'] {
  return ({ poolCounts = {} }) =>
    Object.entries(poolCounts).map(([pool, counts]) => ({ labels: [pool], value: value(counts) }))
}

/** What pools do that retry, leave out, hedge or queue: by name, what it means, where it is. */
const COUNTED: readonly (readonly [string, string, Of<PoolCounts, number>])[] = [
  ['requests', 'Requests to a pool that retries, leaves out, hedges or queues.', (c) => c.requests],
  ['failed', 'Those that it could not answer, after all retries.', (c) => c.failed],
  ['retries', 'Requests that were sent to another server.', (c) => c.retries],
  ['retries_refused', 'Retries that its budget forbade.', (c) => c.retriesRefused],
  ['hedges', 'Requests that were sent to a second server because they were late.', (c) => c.hedges],
  ['hedges_won', 'And how often that one was first.', (c) => c.hedgesWon],
  ['left_out', 'How often a server was left out because it failed.', (c) => c.leftOut],
  ['turned_away', 'Requests that its breaker did not let in.', (c) => c.turnedAway],
  ['queued', 'Requests that had to wait for a place.', (c) => c.queued],
  ['queue_full', 'Requests that found its queue full.', (c) => c.queueFull],
  ['queue_late', 'Requests that waited in vain.', (c) => c.queueLate],
  ['queue_wait_seconds', 'How long they all have waited.', (c) => c.queuedMs / 1000],
]

const POOL = ['pool']
export const POOLS: readonly Metric[] = [
  ...COUNTED.map(([name, help, value]) =>
    counter(`pool_${name}`, `pool.{pool}.${name}`, help, POOL, perCountedPool(value)),
  ),
  gauge(
    'pool_waiting',
    'pool.{pool}.waiting',
    'Requests that wait for a place now.',
    POOL,
    perCountedPool(({ waiting }) => waiting),
  ),
  gauge(
    'pool_servers_resting',
    'pool.{pool}.resting',
    'Servers that are left out now because they failed.',
    POOL,
    perCountedPool(({ resting }) => resting.length),
  ),
  gauge(
    'pool_open',
    'pool.{pool}.open',
    'Whether its breaker turns visitors away now.',
    POOL,
    perCountedPool(({ open }) => (open ? 1 : 0)),
  ),
]
