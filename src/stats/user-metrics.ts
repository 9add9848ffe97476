/** Metrics that applications report themselves (PORTICO.METRIC): as OpenMetrics text, and as StatsD's lines. */
import { TIMING_BOUNDS, type UserMetric } from '../commons/protocol.ts'
import type { SiteStatus } from '../supervisor/status.ts'

export interface UserNames {
  readonly prefix: string
  readonly tagged: boolean
}

const BOUNDS = TIMING_BOUNDS.map((bound) => (Number.isInteger(bound) ? `${bound}.0` : `${bound}`))
const KINDS = { counter: 'counter', gauge: 'gauge', timing: 'histogram' } as const

/** Families under the applications' own names, in which what OpenMetrics does not allow becomes `_`. */
export function renderUserMetrics({ commons }: SiteStatus): string {
  const families = new Map<string, Map<string, UserMetric>>()
  for (const metric of commons?.metrics ?? []) {
    const name = familyOf(metric)
    const key = JSON.stringify(metric.labels)
    const family = families.get(name)
    if (family === undefined) families.set(name, new Map([[key, metric]]))
    // `a.b` and `a_b` are one name here, which means one kind, and each of its labels once.
    else if (kindOf(family) === metric.kind && !family.has(key)) family.set(key, metric)
  }
  return [...families].map(([name, family]) => renderFamily(name, [...family.values()])).join('')
}

function kindOf(family: ReadonlyMap<string, UserMetric>): UserMetric['kind'] | undefined {
  const [first] = family.values()
  return first?.kind
}

/** A counter's samples get `_total`, a timing's unit is a part of its name. */
function familyOf({ name, kind }: UserMetric): string {
  const plain = name.replace(/[^A-Za-z0-9_:]/g, '_')
  if (kind === 'counter') return plain.replace(/_total$/, '')
  return kind === 'timing' && !plain.endsWith('_seconds') ? `${plain}_seconds` : plain
}

function renderFamily(name: string, family: readonly UserMetric[]): string {
  const lines = [`# TYPE ${name} ${KINDS[family[0]!.kind]}`]
  const unit = /_(seconds|bytes)$/.exec(name)?.[1]
  if (unit !== undefined) lines.push(`# UNIT ${name} ${unit}`)
  lines.push(`# HELP ${name} Reported by an application.`)
  for (const { kind, labels, value, count, buckets } of family) {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
    if (kind === 'counter') lines.push(`${name}_total${braces(pairs)} ${value}`)
    else if (kind === 'gauge') lines.push(`${name}${braces(pairs)} ${value}`)
    else {
      for (const [i, bound] of BOUNDS.entries()) {
        lines.push(`${name}_bucket${braces([...pairs, `le="${bound}"`])} ${buckets[i] ?? 0}`)
      }
      lines.push(`${name}_bucket${braces([...pairs, 'le="+Inf"'])} ${count}`)
      lines.push(`${name}_count${braces(pairs)} ${count}`, `${name}_sum${braces(pairs)} ${value}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function braces(pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** What came since `before`: a timing as its mean, with a sample rate that says how many it stands for. */
export function userStatsdLines(
  { commons }: SiteStatus,
  before: SiteStatus | null,
  names: UserNames,
): string[] {
  const last = new Map((before?.commons?.metrics ?? []).map((one) => [identity(one), one]))
  return (commons?.metrics ?? []).flatMap((metric) => {
    const [name, tags] = named(metric, names)
    if (metric.kind === 'gauge') return [`${name}:${short(metric.value)}|g${tags}`]
    if (before === null) return []
    const old = last.get(identity(metric))
    // What is less than before has begun anew.
    const again = old === undefined || metric.count < old.count
    const value = metric.value - (again ? 0 : old.value)
    const count = metric.count - (again ? 0 : old.count)
    if (count === 0) return []
    if (metric.kind === 'counter') return [`${name}:${short(value)}|c${tags}`]
    return [`${name}:${short((value / count) * 1000)}|ms|@${short(1 / count)}${tags}`]
  })
}

function identity({ name, labels }: UserMetric): string {
  return JSON.stringify([name, labels])
}

function named({ name, labels }: UserMetric, { prefix, tagged }: UserNames): [string, string] {
  const plain = `${prefix}.app.${name.replaceAll(':', '_')}`
  const all = Object.entries(labels)
  if (tagged) {
    const tags = all.map(([label, value]) => `${label}:${value.replace(/[\s,|#]/g, '_')}`)
    return [plain, tags.length === 0 ? '' : `|#${tags.join(',')}`]
  }
  const parts = all.map(([, value]) => value.replace(/[^A-Za-z0-9-]+/g, '_') || 'none')
  return [[plain, ...parts].join('.'), '']
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(9).replace(/\.?0+$/, '')
}
