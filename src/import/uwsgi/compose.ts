/** Options as they take effect → a site, and what became of each of them. */
import { nearest } from '../../site/nearest.ts'
import { quote } from '../../site/problem.ts'
import type { Report } from '../../site/report.ts'
import type { MapNode, Place } from '../../site/tree.ts'
import type { Outcome } from '../outcome.ts'
import { composeApplications } from './applications.ts'
import { Draft } from './draft.ts'
import { composeListeners } from './listeners.ts'
import { OPTIONS } from './option-names.ts'
import type { Effective } from './read.ts'
import { composeRoutes } from './routes.ts'
import { RULES } from './rules.ts'
import { STOPS_ON_TERM } from './table/work.ts'

export interface Composed {
  readonly root: MapNode
  readonly outcomes: readonly Outcome[]
  readonly watch: boolean
}

export function compose(effective: Effective, cwd: string, place: Place, report: Report): Composed {
  const draft = new Draft(effective.options, cwd, place, report)
  for (const option of effective.options) {
    const rule = RULES.get(option.name)
    if (rule?.kind === 'mapped') rule.apply?.(draft, option)
  }
  // The order is that of a site file that a person would write.
  composeListeners(draft)
  composeRoutes(draft)
  composeApplications(draft)
  const hook = draft.all('hook-master-start').find(({ value }) => STOPS_ON_TERM.test(value))
  const stops = draft.isOn('die-on-term') || hook !== undefined
  const why = hook ?? draft.last('die-on-term')
  draft.tree.set(['signals'], stops ? 'uwsgi-die-on-term' : 'uwsgi', why?.place ?? place)
  if (!draft.tree.has(['listen'])) {
    report.problem(place, [], 'no socket: nobody could connect', {
      expected: 'http-socket = :8080, or socket = /run/app.sock for a web server in front',
    })
  }
  return { root: draft.tree.root, outcomes: outcomes(effective, draft, report), watch: draft.watch }
}

function outcomes(effective: Effective, draft: Draft, report: Report): Outcome[] {
  return effective.options.map((option): Outcome => {
    const left = draft.left.get(option)
    if (left !== undefined) return { ...option, kind: 'unsupported', text: left }
    const rule = RULES.get(option.name)
    if (rule !== undefined) return { ...option, kind: rule.kind, text: rule.text }
    if (isOwn(option.name, effective)) {
      return { ...option, kind: 'own', text: 'a name that the file itself uses' }
    }
    const meant = nearest(option.name, OPTIONS.keys())
    const hint = meant === '' ? '' : `; did you mean ${quote(meant)}?`
    // As uWSGI itself: files with a name in them that nobody knows are out there, and run.
    if (!draft.isOn('strict')) {
      return {
        ...option,
        kind: 'unsupported',
        text: `uWSGI has no such option: only uwsgi.opt has it${hint}`,
      }
    }
    report.problem(option.place, [], `uWSGI has no option ${quote(option.name)}`, {
      nearest: meant,
      key: true,
    })
    return { ...option, kind: 'own', text: 'a name that the file itself uses' }
  })
}

/** `end` closes any block, and is no option of the table. */
function isOwn(name: string, { referred, declared }: Effective): boolean {
  return referred.has(name) || declared.has(name) || name === 'end'
}
