/** What pools have retried, left out, hedged and queued, for people. */
import type { PoolCounts } from '../balance/pool-counts.ts'
import { harmless, table } from './show.ts'

export function poolCountsTable(pools: Readonly<Record<string, PoolCounts>>): string[] {
  const rows = Object.entries(pools).map(([pool, counts]) => [
    harmless(pool),
    counts.open ? 'rests' : counts.resting.map(harmless).join(' ') || '-',
    `${counts.requests}`,
    `${counts.failed}`,
    `${counts.retries}`,
    `${counts.hedges}`,
    `${counts.waiting}`,
    `${counts.queued}`,
    `${counts.turnedAway + counts.queueFull + counts.queueLate}`,
  ])
  if (rows.length === 0) return []
  const head = ['pool', 'left out', 'requests', 'failed', 'retries', 'hedges', 'waiting', 'queued']
  return table([[...head, 'turned away'], ...rows], 2)
}
