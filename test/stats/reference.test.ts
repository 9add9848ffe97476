import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { METRICS } from '../../src/stats/metrics.ts'
import { metricsMarkdown } from '../../src/stats/reference.ts'

const PAGE = join(import.meta.dirname, '../../docs/metrics.md')

test('docs/metrics.md is what the code declares; `portico docs --write docs` renews it', () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(metricsMarkdown())
  for (const { name, statsd } of METRICS) {
    expect(metricsMarkdown()).toContain(`| \`${name}\` |`)
    if (statsd !== '') expect(metricsMarkdown()).toContain(`| \`${statsd}\` |`)
  }
})
