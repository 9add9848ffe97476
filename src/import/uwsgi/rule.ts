/** How an option is declared: what it becomes, or why it becomes nothing. */
import type { Draft } from './draft.ts'
import type { Option } from './option.ts'

export type Rule =
  | {
      readonly kind: 'mapped'
      /** Where it goes, for people. */
      readonly text: string
      /** Its piece of the site; undefined where it is composed with others. */
      readonly apply?: (draft: Draft, option: Option) => void
    }
  | { readonly kind: 'needless' | 'unsupported'; readonly text: string }

/** Names, separated by blanks; `carbon*` is every option that begins so. */
export type Declaration = readonly [names: string, rule: Rule]

export function mapped(
  names: string,
  text: string,
  apply?: (draft: Draft, option: Option) => void,
): Declaration {
  return [names, apply === undefined ? { kind: 'mapped', text } : { kind: 'mapped', text, apply }]
}

export function needless(names: string, text: string): Declaration {
  return [names, { kind: 'needless', text }]
}

export function unsupported(names: string, text: string): Declaration {
  return [names, { kind: 'unsupported', text }]
}
