/**
 * Metrics of applications, beside Portico's own in /metrics and statsd.
 *
 *     PORTICO.METRIC name counter|gauge|timing value [label value]…
 *
 * A counter adds, a gauge is what was said last, a timing is in seconds and becomes a histogram.
 */
import { bytesOf, Failure, OK, type Reply, textOf } from '../../wire/resp.ts'
import type { Commons } from '../commons.ts'
import { ELEMENT_COST, ENTRY_COST } from '../memory.ts'
import { TIMING_BOUNDS, type UserMetric } from '../protocol.ts'
import type { Command } from '../registry.ts'
import { NO_ROOM, NOT_A_FLOAT } from '../words.ts'

/** Different names and labels: a label with a visitor's number in it must not take all memory. */
const MOST_SERIES = 10_000
const NAME = /^[A-Za-z_:][A-Za-z0-9_:.-]{0,199}$/
const LABEL = /^[A-Za-z_][A-Za-z0-9_]{0,99}$/
const LONGEST_LABEL = 500

interface Series {
  readonly name: string
  readonly kind: UserMetric['kind']
  readonly labels: Readonly<Record<string, string>>
  value: number
  count: number
  readonly buckets: number[]
}

export function metrics(commons: Commons): readonly Command[] {
  const all = new Map<string, Series>()
  /** A name means one kind. */
  const kinds = new Map<string, UserMetric['kind']>()
  commons.metrics = () =>
    [...all.values()].map((series) => ({ ...series, buckets: [...series.buckets] }))

  const report = (args: readonly string[]): Reply => {
    const value = Number(args[3])
    if (!Number.isFinite(value) || args[3]!.trim() === '') return NOT_A_FLOAT
    const key = args.length === 4 ? args[1]! : `${args[1]}\0${args.slice(4).join('\0')}`
    let series = all.get(key)
    if (series === undefined || series.kind !== args[2]) {
      const made = make(args)
      if (made instanceof Failure) return made
      series = all.get(seriesKey(made))
      if (series === undefined || series.kind !== made.kind) {
        if (all.size === MOST_SERIES) return new Failure('ERR too many series of metrics')
        const known = kinds.get(made.name)
        if (known !== undefined && known !== made.kind) {
          return new Failure(`ERR ${made.name} is a ${known} already`)
        }
        const cost = ENTRY_COST + ELEMENT_COST * args.length + key.length * 2
        if (!commons.memory.hasRoom(cost)) return NO_ROOM
        commons.memory.used += cost
        kinds.set(made.name, made.kind)
        all.set(seriesKey(made), made)
        series = made
      }
    }
    if (series.kind === 'counter' && value < 0) return new Failure('ERR a counter only grows')
    // What JSON cannot say would be no number for whoever reads it.
    if (series.kind !== 'gauge' && !Number.isFinite(series.value + value)) return NOT_A_FLOAT
    series.count++
    if (series.kind === 'gauge') series.value = value
    else series.value += value
    if (series.kind === 'timing') count(series.buckets, value)
    return OK
  }

  return [
    {
      name: 'PORTICO.METRIC',
      arity: -4,
      run: (_client, args) => report(args),
    },
  ]
}

/** However its labels are ordered. As `report` has it for those without labels, or in this order. */
function seriesKey({ name, labels }: Series): string {
  const pairs = Object.entries(labels)
  if (pairs.length === 0) return name
  return `${name}\0${pairs.map(([label, text]) => `${label}\0${bytesOf(text)}`).join('\0')}`
}

function make(args: readonly string[]): Series | Failure {
  const [, name, kind, , ...pairs] = args
  if (/^portico[_.:-]/i.test(name!)) {
    return new Failure('ERR names that begin with portico are not for applications')
  }
  if (!NAME.test(name!))
    return new Failure('ERR a metric is called by letters, digits, _ : . and -')
  if (kind !== 'counter' && kind !== 'gauge' && kind !== 'timing') {
    return new Failure('ERR a metric is a counter, a gauge or a timing')
  }
  if (pairs.length % 2 === 1) return new Failure('ERR a label without a value')
  const labels: Record<string, string> = {}
  const sorted = chunks(pairs).sort(([one], [other]) => (one < other ? -1 : 1))
  for (const [label, bytes] of sorted) {
    const value = textOf(bytes)
    if (!LABEL.test(label) || value.length > LONGEST_LABEL) {
      return new Failure('ERR a label is called by letters, digits and _, and is not long')
    }
    // Prometheus' own, and of a histogram's buckets.
    if (label.startsWith('__') || label === 'le' || Object.hasOwn(labels, label)) {
      return new Failure(`ERR a label called ${label} cannot be, or not twice`)
    }
    labels[label] = value
  }
  const buckets = kind === 'timing' ? new Array<number>(TIMING_BOUNDS.length).fill(0) : []
  return { name: name!, kind, labels, value: 0, count: 0, buckets }
}

function chunks(pairs: readonly string[]): [string, string][] {
  return Array.from({ length: pairs.length / 2 }, (_, i) => [pairs[2 * i]!, pairs[2 * i + 1]!])
}

/** Each bucket holds what its bound and the bounds below it do. */
function count(buckets: number[], value: number): void {
  for (let i = TIMING_BOUNDS.length - 1; i >= 0 && value <= TIMING_BOUNDS[i]!; i--) buckets[i]!++
}
