/** Prometheus' own parser of OpenMetrics, which refuses what the specification does not allow. */
import { spawnSync } from 'node:child_process'

const PROGRAM = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(json.dumps([
    dict(name=family.name, type=family.type, unit=family.unit, help=family.documentation,
         samples=[dict(name=s.name, labels=s.labels, value=s.value) for s in family.samples])
    for family in text_string_to_metric_families(sys.stdin.read())
]))
`

export interface ParsedFamily {
  readonly name: string
  readonly type: string
  readonly unit: string
  readonly help: string
  readonly samples: readonly {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly value: number
  }[]
}

/** Throws with the parser's complaint. */
export function parseOpenMetrics(text: string): ParsedFamily[] {
  const run = spawnSync('/usr/bin/python3', ['-c', PROGRAM], { input: text, encoding: 'utf8' })
  if (run.status !== 0) throw new Error(run.stderr)
  return JSON.parse(run.stdout)
}
