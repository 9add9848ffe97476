/** What the project has promised to show, held against what was measured. */
import { MUST_SHOW } from '../must-show.ts'
import type { Outcome } from './report.ts'
import { format } from './statistics.ts'

export interface Target {
  readonly text: string
  /** Looks up `column` of `rival` in `scenario`; undefined when it was not measured. */
  measure(look: Look): number | undefined
  /** The same by processor time, which others at work on the machine disturb less. */
  measureByCpu?(look: Look): number | undefined
  readonly wanted: number
  /** `report`: shown, and never missed. */
  readonly is: 'at least' | 'at most' | 'report'
  readonly format: 'ratio' | 'bytes' | 'millis' | 'count'
}

export type Look = (scenario: string, rival: string, column: string) => number | undefined

export interface Verdict {
  readonly text: string
  readonly wanted: string
  readonly measured: string
  readonly byCpu: string
  readonly outcome: 'met' | 'missed' | 'reported' | 'not measured'
}

const SIGNS = { 'at least': '≥', 'at most': '≤', report: 'aim' }

export function judge(outcomes: readonly Outcome[]): Verdict[] {
  const look: Look = (scenario, rival, column) =>
    outcomes
      .find((outcome) => outcome.scenario.name === scenario)
      ?.rows.find((row) => row.rival === rival)?.values[column]
  return MUST_SHOW.map((target) => {
    const measured = target.measure(look)
    return {
      text: target.text,
      wanted: `${SIGNS[target.is]} ${format(target.wanted, target.format)}`,
      measured: format(measured, target.format),
      byCpu: target.measureByCpu ? format(target.measureByCpu(look), target.format) : '',
      outcome: outcomeOf(target, measured),
    }
  })
}

function outcomeOf(target: Target, measured: number | undefined): Verdict['outcome'] {
  if (measured === undefined || Number.isNaN(measured)) return 'not measured'
  if (target.is === 'report') return 'reported'
  const met = target.is === 'at least' ? measured >= target.wanted : measured <= target.wanted
  return met ? 'met' : 'missed'
}
