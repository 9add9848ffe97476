/** `pools.NAME.schedule` → the Plan's. */
import type { Drawing } from './drawing.ts'
import { nearest } from './nearest.ts'
import type { KeyPartPlan, SchedulePlan, TargetPlan } from './plan.ts'
import { type KeyPath, quote } from './problem.ts'
import {
  KEY_FORMS,
  KEY_WORDS,
  optionsOf,
  parseKeyPart,
  SCHEDULE_NAMES,
  scheduleOf,
  schedulersWith,
} from './schedules.ts'
import type { ScheduleSettings } from './settings/schedule.ts'
import { namesAt, nodeAt } from './tree.ts'

/** A ring has 160 points for each unit of weight: more would take a thread a second to sort. */
const MOST_WEIGHT_IN_RING = 10_000
/** Turns are remembered: whoever needs a finer share than this has mistyped. */
const MOST_TURNS = 100_000
/** Of sh; a server behind these gets none. */
const BUCKETS = 256

export function drawSchedule(
  drawing: Drawing,
  path: KeyPath,
  settings: ScheduleSettings,
  servers: readonly TargetPlan[],
): SchedulePlan {
  const isName = typeof settings === 'string'
  const name = isName ? settings : settings.by
  const named = scheduleOf(name)
  if (named === undefined) {
    const meant = nearest(name, SCHEDULE_NAMES)
    const hint = meant === '' ? { expected: SCHEDULE_NAMES.join(', ') } : { nearest: meant }
    drawing.report.problem(
      isName ? path : [...path, 'by'],
      `no such scheduler: ${quote(name)}`,
      hint,
    )
    return scheduleOf('round-robin')!
  }
  const plan = isName ? named : { ...named, ...options(drawing, path, settings, named) }
  const mistyped = !isName && settings.key.length > 0
  if (plan.by === 'hash' && plan.key.length === 0 && !mistyped) {
    drawing.report.problem(path, `${quote(name)} needs a key`, {
      expected: '{ by: hash, key: address }, or another key',
    })
  }
  judgeWeights(drawing, path, plan, servers)
  return plan
}

/** Those that were written, where the scheduler has them. */
function options(
  drawing: Drawing,
  path: KeyPath,
  settings: Exclude<ScheduleSettings, string>,
  { by }: SchedulePlan,
): Partial<SchedulePlan> {
  const known = optionsOf(by)
  const found: Record<string, unknown> = {}
  for (const key of namesAt(drawing.root, path)) {
    if (key === 'by' || !Object.hasOwn(settings, key)) continue
    const option = key as keyof typeof settings & (typeof known)[number]
    if (known.includes(option)) {
      found[key] = key === 'key' ? drawKey(drawing, [...path, key], settings.key) : settings[option]
    } else {
      const owners = schedulersWith(option).join(', ')
      const message = `${quote(key)} is no option of ${quote(settings.by)}, but of ${owners}`
      drawing.report.problem([...path, key], message, { key: true })
    }
  }
  return found
}

function drawKey(drawing: Drawing, path: KeyPath, parts: readonly string[]): KeyPartPlan[] {
  const isList = nodeAt(drawing.root, path)?.kind === 'list'
  return parts.flatMap((text, index) => {
    const part = parseKeyPart(text)
    if (part !== undefined) return [part]
    const meant = nearest(text, KEY_WORDS)
    const hint = meant === '' || meant.endsWith(':') ? { expected: KEY_FORMS } : { nearest: meant }
    drawing.report.problem(isList ? [...path, index] : path, `no such key: ${quote(text)}`, hint)
    return []
  })
}

function judgeWeights(
  drawing: Drawing,
  path: KeyPath,
  plan: SchedulePlan,
  servers: readonly TargetPlan[],
): void {
  const sum = servers.reduce((all, { weight }) => all + weight, 0)
  if (plan.by === 'hash' && plan.consistent && sum > MOST_WEIGHT_IN_RING) {
    const message = `the weights add up to ${sum}, too many for a consistent hash`
    drawing.report.problem(path, message, { expected: `up to ${MOST_WEIGHT_IN_RING} together` })
  } else if (
    takesTurns(plan) &&
    sum / servers.map(({ weight }) => weight).reduce(gcd, 0) > MOST_TURNS
  ) {
    const message = `the weights add up to ${sum}, too many for turns`
    drawing.report.problem(path, message, { expected: `up to ${MOST_TURNS} together` })
  } else if (plan.by === 'sh' && sum > BUCKETS) {
    const message = `sh has ${BUCKETS} buckets, and the weights add up to ${sum}: the last servers get fewer than their share, or none`
    drawing.report.warning(path, message)
  }
}

function takesTurns({ by, ties }: SchedulePlan): boolean {
  return by === 'wrr' || by === 'hash' || ties === 'turns'
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
