/** An option as it takes effect: whatever file, variable or argument it came from. */
import type { Place } from '../../site/tree.ts'

export interface Option {
  readonly name: string
  /** '' for a key without a value. */
  readonly value: string
  readonly place: Place
}
