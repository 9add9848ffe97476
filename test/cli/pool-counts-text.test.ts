import { expect, test } from 'vitest'
import type { PoolCounts } from '../../src/balance/pool-counts.ts'
import { poolCountsTable } from '../../src/cli/pool-counts-text.ts'

const counts: PoolCounts = {
  requests: 1_000,
  failed: 2,
  retries: 30,
  retriesRefused: 0,
  hedges: 4,
  hedgesWon: 1,
  leftOut: 3,
  turnedAway: 1,
  queued: 50,
  queueFull: 2,
  queueLate: 3,
  queuedMs: 900,
  waiting: 6,
  resting: ['10.0.0.1:80', '10.0.0.2:80'],
  open: false,
}

test('what pools have retried, left out and queued', () => {
  const lines = poolCountsTable({ a: counts, b: { ...counts, open: true } })
  expect(lines.map((line) => line.trimEnd().replaceAll(/ {2,}/g, '|'))).toEqual([
    'pool|left out|requests|failed|retries|hedges|waiting|queued|turned away',
    'a|10.0.0.1:80 10.0.0.2:80|1000|2|30|4|6|50|6',
    'b|rests|1000|2|30|4|6|50|6',
  ])
  expect(poolCountsTable({})).toEqual([])
})
