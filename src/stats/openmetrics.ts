/** The status as OpenMetrics text (https://openmetrics.io, specification 1.0). */
import { BOUNDS_MS, type Histogram } from '../request/histogram.ts'
import type { SiteStatus } from '../supervisor/status.ts'
import type { Metric } from './metric.ts'
import { METRICS } from './metrics.ts'
import { renderUserMetrics } from './user-metrics.ts'

const SUFFIX = { counter: '_total', gauge: '', info: '_info' } as const

const BOUNDS = [...BOUNDS_MS.map((ms) => float(ms / 1000)), '+Inf']

/** Everything that is counted; ends with `# EOF` as the specification demands. */
export function renderMetrics(status: SiteStatus): string {
  return `${METRICS.map((metric) => renderFamily(metric, status)).join('')}${renderUserMetrics(status)}# EOF\n`
}

function renderFamily(metric: Metric, status: SiteStatus): string {
  const { name, kind, help } = metric
  const unit = unitOf(metric)
  const lines = [`# TYPE ${name} ${kind}`]
  if (unit !== '') lines.push(`# UNIT ${name} ${unit}`)
  lines.push(`# HELP ${name} ${help}`)
  if (metric.kind === 'histogram') {
    for (const { labels, value } of metric.read(status)) {
      lines.push(...renderTimes(name, pairsOf(metric, labels), value))
    }
  } else {
    for (const { labels, value } of metric.read(status)) {
      lines.push(`${name}${SUFFIX[metric.kind]}${braces(pairsOf(metric, labels))} ${value}`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** `seconds`, `bytes`, or ''. */
export function unitOf({ name }: Metric): string {
  return /_(seconds|bytes)$/.exec(name)?.[1] ?? ''
}

/** Buckets count everything up to their bound. */
function renderTimes(name: string, pairs: readonly string[], times: Histogram): string[] {
  let count = 0
  const buckets = times.counts.map((own, i) => {
    count += own
    return `${name}_bucket${braces([...pairs, `le="${BOUNDS[i]}"`])} ${count}`
  })
  return [
    ...buckets,
    `${name}_count${braces(pairs)} ${count}`,
    `${name}_sum${braces(pairs)} ${times.sumMs / 1000}`,
  ]
}

function pairsOf({ labels: names }: Metric, values: readonly string[]): string[] {
  return names.map((name, i) => `${name}="${escapeLabel(values[i] ?? '')}"`)
}

function braces(pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** Bounds always look like floats, as the specification wants them. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
