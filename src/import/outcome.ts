/** What became of each setting of another server's configuration: nothing of it is passed over. */
import { locate, type Place } from '../site/tree.ts'

export interface Outcome {
  readonly name: string
  readonly value: string
  readonly place: Place
  /**
   * `mapped`: a setting of ours says it; `needless`: it is so without it; `unsupported`: it is left out;
   * `own`: a name that the file itself uses.
   */
  readonly kind: 'mapped' | 'needless' | 'unsupported' | 'own'
  /** Where it went, or why it did not. */
  readonly text: string
}

const MARKS: Readonly<Record<Outcome['kind'], string>> = {
  mapped: '→',
  needless: 'not needed:',
  unsupported: 'NOT SUPPORTED:',
  own: '·',
}

/** Widest column of names, in characters. */
const WIDEST = 44
/** Where a setting has a line for itself. */
const LONGEST = 200

/** `app.ini:3  workers = 4  → apps.app.workers`, one line each. */
export function showOutcomes(
  outcomes: readonly Outcome[],
  short: (file: string) => string,
): string {
  const rows = outcomes.map((outcome) => {
    const { line } = locate(outcome.place)
    const file = short(outcome.place.source.file)
    return [line === 0 ? file : `${file}:${line}`, showSetting(outcome), showEnd(outcome)]
  })
  const width = (column: number): number =>
    Math.min(WIDEST, Math.max(0, ...rows.map((row) => row[column]!.length)))
  const [places, settings] = [width(0), width(1)]
  return rows
    .map(
      ([place = '', setting = '', end = '']) =>
        `${place.padEnd(places)}  ${setting.padEnd(settings)}  ${end}\n`,
    )
    .join('')
}

export function showEnd({ kind, text }: Outcome): string {
  return `${MARKS[kind]} ${text}`
}

/** One line for each setting of the kind, as the log has them. */
export function outcomeLines(outcomes: readonly Outcome[], kind: Outcome['kind']): string[] {
  const ours = outcomes.filter((outcome) => outcome.kind === kind)
  return ours.map((outcome) => {
    const { line } = locate(outcome.place)
    const { file } = outcome.place.source
    const what = kind === 'unsupported' ? 'not supported' : 'not needed'
    return `${file}${line === 0 ? '' : `:${line}`}: ${showSetting(outcome, LONGEST)}: ${what}: ${outcome.text}`
  })
}

/** Names in which a value is a secret more often than not. */
const SECRET = /pass|secret|token|key|credential/i

/** `longest`: in characters. */
export function showSetting({ name, value }: Outcome, longest: number = WIDEST): string {
  const hidden = SECRET.test(name) || /^[\w.]*(PASS|SECRET|TOKEN|KEY)[\w.]*=/i.test(value)
  const shown = hidden
    ? value.replace(/=.*$|^[^=]*$/s, '=…')
    : value.replace(/[\x00-\x1f\x7f]/g, ' ')
  const text = value === '' ? name : `${name} = ${shown}`
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}
