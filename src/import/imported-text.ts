/** Another server's configuration as a site file in YAML. */
import type { LoadedSite } from '../site/load.ts'
import { outcomeLines } from './outcome.ts'
import { writeYaml } from './write-yaml.ts'

export function importedText({ root, outcomes, description }: LoadedSite): string {
  const left = outcomeLines(outcomes, 'unsupported')
  const foot = left.length === 0 ? [] : ['Not carried over:', ...left]
  return writeYaml(root, [`Made from ${description} by portico import.`], foot)
}
