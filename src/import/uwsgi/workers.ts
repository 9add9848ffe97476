/** Processes, cheaper mode and the deadline → `workers:` and `deadline:`. */
import { showDuration, showSize } from '../../site/units.ts'
import type { Value } from '../tree-builder.ts'
import type { Draft } from './draft.ts'

/** uWSGI's algorithms under the names that we have for them. */
const ALGORITHMS: Readonly<Record<string, string>> = {
  spare: 'spare',
  spare2: 'spare',
  backlog: 'backlog',
  backlog2: 'backlog',
  busyness: 'busyness',
  manual: 'spare',
}

/** What both call the same. */
const BUSYNESS = [
  'min',
  'max',
  'multiplier',
  'penalty',
  'backlog-alert',
  'backlog-step',
  'backlog-multiplier',
]

/** What an application is told in any language. */
export function workersOf(draft: Draft): Record<string, Value> {
  const processes = draft.count('processes', 'workers') || 1
  const harakiri = draft.count('harakiri')
  const settings: Record<string, Value> = {
    workers: adaptive(draft, processes),
    // uWSGI has no limit unless told.
    deadline: harakiri > 0 ? showDuration(harakiri * 1000) : 0,
  }
  const option = draft.last('max-requests-delta', 'max-worker-lifetime-delta')
  const bound = draft.count('max-requests') || draft.count('max-worker-lifetime')
  if (option !== undefined && bound > 0) {
    const percent = Math.round((100 * draft.number(option)) / bound)
    draft.setApp(['recycle', 'jitter'], Math.min(100, percent), option)
  }
  return settings
}

function adaptive(draft: Draft, most: number): Value {
  const cheaper = draft.count('cheaper')
  const idle = draft.count('idle')
  const sleeps = draft.isOn('cheap') || idle > 0
  if (cheaper === 0 && !sleeps) return most
  const settings: Record<string, Value> = { min: sleeps ? 0 : Math.min(cheaper, most), max: most }
  const algorithm = draft.last('cheaper-algo')
  if (algorithm !== undefined) settings.by = ALGORITHMS[algorithm.value] ?? algorithm.value
  const step = draft.count('cheaper-step')
  if (step > 0) settings.step = step
  const overload = draft.count('cheaper-overload')
  // To busyness it is the length of a round.
  if (overload > 0 && settings.by === 'busyness') settings.every = showDuration(overload * 1000)
  else if (overload > 0) settings.overload = overload
  const busyness = bounds(draft)
  if (Object.keys(busyness).length > 0) settings.busyness = busyness
  if (idle > 0) settings.idle = showDuration(idle * 1000)
  const soft = draft.count('cheaper-rss-limit-soft') || draft.count('cheaper-rss-limit-hard')
  if (soft > 0) settings.memory = showSize(soft)
  return settings
}

function bounds(draft: Draft): Record<string, Value> {
  const found: Record<string, Value> = {}
  for (const key of BUSYNESS) {
    const option = draft.last(`cheaper-busyness-${key}`)
    if (option !== undefined) found[key] = draft.number(option)
  }
  return found
}
