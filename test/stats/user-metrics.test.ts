import { expect, test } from 'vitest'
import type { UserMetric } from '../../src/commons/protocol.ts'
import { renderUserMetrics, userStatsdLines } from '../../src/stats/user-metrics.ts'
import type { SiteStatus } from '../../src/supervisor/status.ts'
import { siteStatus } from './site-status.ts'

const labels = { country: 'de "x"' }

function status(...metrics: UserMetric[]): SiteStatus {
  return siteStatus({ commons: { ...siteStatus().commons!, metrics } })
}

const counter = (value: number, count: number): UserMetric => ({
  name: 'shop.orders',
  kind: 'counter',
  labels,
  value,
  count,
  buckets: [],
})
const gauge: UserMetric = {
  name: 'stock',
  kind: 'gauge',
  labels: {},
  value: 2.5,
  count: 1,
  buckets: [],
}
const timing = (value: number, count: number): UserMetric => ({
  name: 'search',
  kind: 'timing',
  labels: {},
  value,
  count,
  buckets: [0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2],
})

test('as OpenMetrics: families under names that it allows', () => {
  const clash: UserMetric = { ...gauge, name: 'shop_orders' }
  const text = renderUserMetrics(status(counter(7, 3), gauge, timing(1.02, 2), clash))
  expect(text.split('\n')).toEqual([
    '# TYPE shop_orders counter',
    '# HELP shop_orders Reported by an application.',
    'shop_orders_total{country="de \\"x\\""} 7',
    '# TYPE stock gauge',
    '# HELP stock Reported by an application.',
    'stock 2.5',
    '# TYPE search_seconds histogram',
    '# UNIT search_seconds seconds',
    '# HELP search_seconds Reported by an application.',
    ...['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1.0', '2.5', '5.0', '10.0'].map(
      (bound, i) => `search_seconds_bucket{le="${bound}"} ${i === 0 ? 0 : i < 7 ? 1 : 2}`,
    ),
    'search_seconds_bucket{le="+Inf"} 2',
    'search_seconds_count 2',
    'search_seconds_sum 1.02',
    '',
  ])
  expect(renderUserMetrics(siteStatus({ commons: null }))).toBe('')
})

test('as StatsD: what came since the last time', () => {
  const now = status(counter(7, 3), gauge, timing(1.5, 3))
  const names = { prefix: 'p', tagged: false }
  expect(userStatsdLines(now, null, names)).toEqual(['p.app.stock:2.5|g'])
  const before = status(counter(5, 2), gauge, timing(0.5, 1))
  expect(userStatsdLines(now, before, names)).toEqual([
    'p.app.shop.orders.de_x_:2|c',
    'p.app.stock:2.5|g',
    'p.app.search:500|ms|@0.5',
  ])
  expect(userStatsdLines(now, before, { prefix: 'p', tagged: true })[0]).toBe(
    'p.app.shop.orders:2|c|#country:de_"x"',
  )
  // A process that was started anew counts from nothing.
  expect(userStatsdLines(status(counter(1, 1)), before, names)).toEqual([
    'p.app.shop.orders.de_x_:1|c',
  ])
  expect(userStatsdLines(before, before, names)).toEqual(['p.app.stock:2.5|g'])
})
