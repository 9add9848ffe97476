/** How a setting of Gunicorn is declared. */
import type { Place } from '../../site/tree.ts'
import type { GunicornDraft } from './draft.ts'
import type { PythonValue } from './python-values.ts'

/** A setting as somebody has set it. */
export interface Given {
  readonly name: string
  readonly value: PythonValue
  readonly place: Place
}

export type Kind = 'text' | 'number' | 'flag' | 'list' | 'none'

export interface Setting {
  /** As in a configuration file. */
  readonly name: string
  /** As on the command line, separated by blanks; '' for none. */
  readonly flags: string
  readonly kind: Kind
  readonly outcome: 'mapped' | 'needless' | 'unsupported'
  readonly text: string
  readonly apply?: (draft: GunicornDraft, given: Given) => void
}
