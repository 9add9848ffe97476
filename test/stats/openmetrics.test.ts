/** What scrapers get, read by Prometheus' own parser of OpenMetrics (Debian's python3-prometheus-client). */
import { expect, test } from 'vitest'
import { METRICS } from '../../src/stats/metrics.ts'
import { renderMetrics } from '../../src/stats/openmetrics.ts'
import { parseOpenMetrics } from './parse.ts'
import { appStatus, siteStatus } from './site-status.ts'

test('is OpenMetrics for Prometheus’ parser, with every family that is declared', () => {
  const families = parseOpenMetrics(renderMetrics(siteStatus()))
  expect(families.map(({ name }) => name)).toEqual(METRICS.map(({ name }) => name))
  for (const { name, kind, help, labels } of METRICS) {
    const family = families.find((one) => one.name === name)!
    expect([family.type, family.help]).toEqual([kind, help])
    for (const sample of family.samples) {
      const own = Object.keys(sample.labels).filter((label) => label !== 'le')
      expect(own).toEqual(labels)
    }
  }
  const samples = (name: string): unknown[] =>
    families.find((family) => family.name === name)!.samples.map((s) => [s.labels, s.value])
  expect(samples('portico_route_requests')).toEqual([
    [{ host: '', route: '' }, 0],
    [{ host: 'www.example.com', route: '/' }, 1_000],
    [{ host: '*', route: '~^/a"b\\' }, 1_000],
  ])
  expect(samples('portico_app_restarts')).toEqual([
    [{ app: 'shop', reason: 'deadline' }, 1],
    [{ app: 'shop', reason: 'signal' }, 1],
    [{ app: 'shop', reason: 'parent' }, 1],
  ])
})

test('a histogram is cumulative, in seconds; those that did not wait count in the queue’s first bucket', () => {
  const text = renderMetrics(siteStatus())
  expect(text).toContain('\nportico_app_service_seconds_bucket{app="shop",le="0.0002"} 0\n')
  expect(text).toContain('\nportico_app_service_seconds_bucket{app="shop",le="0.0005"} 900\n')
  expect(text).toContain('\nportico_app_service_seconds_bucket{app="shop",le="+Inf"} 1000\n')
  expect(text).toContain('\nportico_app_service_seconds_sum{app="shop"} 3.27\n')
  expect(text).toContain('\nportico_app_queue_seconds_bucket{app="shop",le="0.0001"} 980\n')
  expect(text).toContain('\nportico_app_queue_seconds_count{app="shop"} 1000\n')
  expect(text).toContain('{host="*",route="~^/a\\"b\\\\",le="60.0"} 998\n')
})

test('a site without applications is valid as well', () => {
  const families = parseOpenMetrics(renderMetrics(siteStatus({ apps: {}, routes: [] })))
  expect(families.length).toBe(METRICS.length)
  const broken = appStatus({ state: 'broken', workers: [], reasons: {} })
  parseOpenMetrics(renderMetrics(siteStatus({ apps: { broken } })))
})

test('names are unique, and end in no suffix of OpenMetrics', () => {
  for (const { name, kind } of METRICS) {
    expect(name).toMatch(/^portico(_[a-z][a-z0-9]*)+$/)
    expect(name).not.toMatch(/_(total|info|count|sum|bucket)$/)
    if (kind === 'histogram') expect(name).toMatch(/_seconds$/)
  }
  expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length)
  const statsd = METRICS.map((metric) => metric.statsd).filter(Boolean)
  expect(new Set(statsd).size).toBe(statsd.length)
})
