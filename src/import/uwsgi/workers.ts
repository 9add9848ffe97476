/** Processes, cheaper mode and the deadline → `workers:` and `deadline:`. */
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

/** What an application is told in any language. */
export function workersOf(draft: Draft): Record<string, Value> {
  const processes = draft.count('processes', 'workers') || 1
  const harakiri = draft.count('harakiri')
  const settings: Record<string, Value> = {
    workers: adaptive(draft, processes),
    // uWSGI has no limit unless told.
    deadline: harakiri > 0 ? `${harakiri}s` : 0,
  }
  const jitter = draft.count('max-requests-delta', 'max-worker-lifetime-delta')
  const bound = draft.count('max-requests') || draft.count('max-worker-lifetime')
  const option = draft.last('max-requests-delta', 'max-worker-lifetime-delta')
  if (option !== undefined && jitter > 0 && bound > 0) {
    draft.setApp(['recycle', 'jitter'], Math.min(1, jitter / bound), option)
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
  const overload = draft.count('cheaper-overload')
  if (overload > 0) settings.every = `${overload}s`
  if (idle > 0) settings.idle = `${idle}s`
  const soft = draft.count('cheaper-rss-limit-soft') || draft.count('cheaper-rss-limit-hard')
  if (soft > 0) settings.memory = `${soft}B`
  return settings
}
