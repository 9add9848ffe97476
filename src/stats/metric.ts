/** How a figure for monitors is declared: its names, what it means and where it is in the status. */
import type { Histogram } from '../request/histogram.ts'
import type { SiteStatus } from '../supervisor/status.ts'

/** A value with its labels' values, in the order of their names. */
export interface Sample<Value = number> {
  readonly labels: readonly string[]
  readonly value: Value
}

interface Described {
  /** Of the OpenMetrics family: without the suffix that samples carry. Its unit is its last word. */
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  /** The name at a StatsD server, behind the prefix, with `{label}` for labels; '' for none. */
  readonly statsd: string
}

export interface PlainMetric extends Described {
  readonly kind: 'counter' | 'gauge' | 'info'
  read(status: SiteStatus): readonly Sample[]
}

export interface TimesMetric extends Described {
  readonly kind: 'histogram'
  read(status: SiteStatus): readonly Sample<Histogram>[]
}

export type Metric = PlainMetric | TimesMetric

/** Where in something a value is. */
export type Of<Thing, Value> = (thing: Thing) => Value

type Declare<One extends Metric> = (
  name: string,
  statsd: string,
  help: string,
  labels: readonly string[],
  read: One['read'],
) => One

function plain(kind: 'counter' | 'gauge'): Declare<PlainMetric> {
  return (name, statsd, help, labels, read) => ({
    kind,
    name: `portico_${name}`,
    statsd,
    help,
    labels,
    read,
  })
}

export const counter: Declare<PlainMetric> = plain('counter')
export const gauge: Declare<PlainMetric> = plain('gauge')

export const times: Declare<TimesMetric> = (name, statsd, help, labels, read) => ({
  kind: 'histogram',
  name: `portico_${name}`,
  statsd,
  help,
  labels,
  read,
})

/** One value for the whole site. */
export function whole(value: Of<SiteStatus, number>): PlainMetric['read'] {
  return (status) => [{ labels: [], value: value(status) }]
}
