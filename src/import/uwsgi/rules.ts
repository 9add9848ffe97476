/** The rule of every option of uWSGI: each has exactly one. */
import { OPTIONS } from './option-names.ts'
import type { Declaration, Rule } from './rule.ts'
import { languages } from './table/languages.ts'
import { processes } from './table/processes.ts'
import { site } from './table/site.ts'
import { sockets } from './table/sockets.ts'
import { work } from './table/work.ts'

export const TABLE: readonly Declaration[] = [
  ...sockets,
  ...languages,
  ...processes,
  ...work,
  ...site,
]

/** What a name says goes before what a beginning says. */
export const RULES: ReadonlyMap<string, Rule> = spread(TABLE)

function spread(table: readonly Declaration[]): Map<string, Rule> {
  const rules = new Map<string, Rule>()
  const words = table.flatMap(([names, rule]) =>
    names.split(' ').map((word): [string, Rule] => [word, rule]),
  )
  for (const [word, rule] of words) if (word !== '' && !word.endsWith('*')) rules.set(word, rule)
  for (const [word, rule] of words) {
    if (!word.endsWith('*')) continue
    for (const name of OPTIONS.keys()) {
      if (name.startsWith(word.slice(0, -1)) && !rules.has(name)) rules.set(name, rule)
    }
  }
  return rules
}
