/**
 * The status as StatsD's lines: what came since the last time for counters, what is now for gauges, and for
 * times one line a bucket, which says how many it stands for by its sample rate. Pure.
 */
import { BOUNDS_MS, type Histogram } from '../request/histogram.ts'
import type { SiteStatus } from '../supervisor/status.ts'
import { timesSince } from './histograms.ts'
import type { Metric } from './metric.ts'
import { METRICS } from './metrics.ts'
import { userStatsdLines } from './user-metrics.ts'

/** What fits into a datagram that no network on the way cuts, bytes. */
export const DATAGRAM = 1_432

export interface StatsdNames {
  readonly prefix: string
  /** Labels are tags as Datadog's agent knows them. */
  readonly tagged: boolean
}

/** `before`: the status at the last time; null: there was none, so counters have no delta yet. */
export function statsdLines(
  now: SiteStatus,
  before: SiteStatus | null,
  names: StatsdNames,
): string[] {
  const own = METRICS.filter(({ statsd }) => statsd !== '').flatMap((metric) =>
    linesOf(metric, now, before, names),
  )
  return [...own, ...userStatsdLines(now, before, names)]
}

function linesOf(
  metric: Metric,
  now: SiteStatus,
  before: SiteStatus | null,
  names: StatsdNames,
): string[] {
  if (metric.kind === 'histogram') {
    if (before === null) return []
    const last = byLabels(metric.read(before))
    return metric.read(now).flatMap(({ labels, value }) => {
      const [name, tags] = named(metric, labels, names)
      return timings(timesSince(value, last.get(labels.join('\n')))).map(
        ([ms, count]) => `${name}:${short(ms)}|ms|@${short(1 / count)}${tags}`,
      )
    })
  }
  if (metric.kind === 'gauge') {
    return metric.read(now).map(({ labels, value }) => {
      const [name, tags] = named(metric, labels, names)
      return `${name}:${short(value)}|g${tags}`
    })
  }
  if (before === null) return []
  const last = byLabels(metric.read(before))
  return metric.read(now).flatMap(({ labels, value }) => {
    const old = last.get(labels.join('\n')) ?? 0
    // What is less than before has begun anew.
    const delta = value < old ? value : value - old
    if (delta === 0) return []
    const [name, tags] = named(metric, labels, names)
    return [`${name}:${short(delta)}|c${tags}`]
  })
}

/** A time for each bucket that has any, with how many it has. Together they have the same sum, nearly. */
function timings(times: Histogram): [ms: number, count: number][] {
  return times.counts.flatMap((count, i): [number, number][] => {
    if (count === 0) return []
    const upper = BOUNDS_MS[i]
    const lower = BOUNDS_MS[i - 1] ?? 0
    return [[upper === undefined ? lower : (lower + upper) / 2, count]]
  })
}

function byLabels<Value>(
  samples: readonly { readonly labels: readonly string[]; readonly value: Value }[],
): Map<string, Value> {
  return new Map(samples.map(({ labels, value }) => [labels.join('\n'), value]))
}

/** The name, and the tags behind the type. */
function named(
  { statsd, labels: keys }: Metric,
  values: readonly string[],
  { prefix, tagged }: StatsdNames,
): [name: string, tags: string] {
  if (!tagged) {
    const parts = statsd.replace(/\{(\w+)\}/g, (_, key: string) => part(values[keys.indexOf(key)]))
    return [`${prefix}.${parts}`, '']
  }
  const name = `${prefix}.${statsd.replace(/\.\{\w+\}/g, '')}`
  const tags = keys.map((key, i) => `${key}:${(values[i] ?? '').replace(/[\s,|#]/g, '_')}`)
  return [name, tags.length === 0 ? '' : `|#${tags.join(',')}`]
}

/** As a part of a name: `www.example.com` is `www_example_com`, `/static/` is `static`, `/` is `root`. */
function part(value = ''): string {
  if (value === '') return 'none'
  if (value === '/') return 'root'
  if (value === '*') return 'any'
  const plain = value.replace(/[^A-Za-z0-9-]+/g, '_').replace(/^_+|_+$/g, '')
  return plain === '' ? 'other' : plain
}

/** Neither an exponent nor more digits than tell something. */
function short(value: number): string {
  if (Number.isInteger(value)) return String(value)
  return value.toFixed(9).replace(/\.?0+$/, '')
}

/** As few datagrams as hold them. */
export function packLines(lines: readonly string[]): Buffer[] {
  const datagrams: Buffer[] = []
  let text = ''
  for (const line of lines) {
    const longer = text === '' ? line : `${text}\n${line}`
    if (Buffer.byteLength(longer) > DATAGRAM && text !== '') {
      datagrams.push(Buffer.from(text))
      text = line
    } else text = longer
  }
  if (text !== '') datagrams.push(Buffer.from(text))
  return datagrams
}
