/** The results as text: tables for the terminal, and bench/RESULTS.md. */
import type { Row, Scenario } from './scenario.ts'
import { format } from './statistics.ts'
import type { Verdict } from './targets.ts'

export interface Outcome {
  readonly scenario: Scenario
  readonly rows: readonly Row[]
}

export interface Report {
  readonly command: string
  readonly date: string
  readonly machine: Readonly<Record<string, string>>
  /** By rival. */
  readonly versions: Readonly<Record<string, string>>
  readonly rounds: number
  readonly seconds: number
  readonly outcomes: readonly Outcome[]
  readonly verdicts: readonly Verdict[]
}

type Table = readonly (readonly string[])[]

/** The header and one line a rival. A rival that is missing keeps its line. */
export function tableOf({ scenario, rows }: Outcome): string[][] {
  const { columns, reference } = scenario
  const base = reference && rows.find((row) => row.rival === reference.rival)
  const against = reference && base?.values[reference.column]
  const header = ['', ...columns.map((column) => column.title)]
  if (reference) header.splice(2, 0, `to ${reference.rival}`)
  const lines = rows.map((row) => {
    const cells = columns.map((column) => format(row.values[column.key], column.format))
    if (row.absent) cells[0] = row.absent
    if (reference) {
      const own = row.values[reference.column]
      const ratio = own !== undefined && against ? own / against : undefined
      cells.splice(1, 0, format(ratio, 'ratio'))
    }
    return [row.rival, ...cells]
  })
  return [header, ...lines]
}

export function plainTable(table: Table): string {
  return padded(table)
    .map((line) => line.join('  ').trimEnd())
    .join('\n')
}

/** Aligned in its source as well, as the project's formatter wants it. */
export function markdownTable(table: Table): string {
  const [header = [], ...lines] = padded(table)
  const rule = header.map((cell, at) => {
    const dashes = '-'.repeat(Math.max(3, cell.length))
    return at === 0 ? dashes : `${dashes.slice(1)}:`
  })
  return [header, rule, ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** Cells of a column made equally wide: the first column to the left, figures to the right. */
function padded(table: Table): string[][] {
  const widths = (table[0] ?? []).map((_, at) => Math.max(...table.map((line) => line[at]!.length)))
  return table.map((line) =>
    line.map((text, at) => (at === 0 ? text.padEnd(widths[at]!) : text.padStart(widths[at]!))),
  )
}

/** `rival: remark`, one a line. */
export function remarksOf(rows: readonly Row[]): string[] {
  return rows.flatMap((row) =>
    row.remarks.map((remark) => `${row.rival}: ${remark.trim().split('\n').join(' ')}`),
  )
}

export function verdictTable(verdicts: readonly Verdict[]): string[][] {
  const lines = verdicts.map((each) => {
    return [each.text, each.wanted, each.measured, each.byCpu, each.outcome]
  })
  return [['Must show', 'wanted', 'measured', 'by CPU', ''], ...lines]
}

export function markdown(report: Report): string {
  const machine = [['machine', 'is'], ...Object.entries(report.machine)]
  const versions = [['rival', 'version'], ...Object.entries(report.versions)]
  const sections = report.outcomes.map((outcome) => {
    const remarks = remarksOf(outcome.rows).map((remark) => `- ${remark}`)
    const parts = [`### ${outcome.scenario.name}`, outcome.scenario.title]
    parts.push(markdownTable(tableOf(outcome)))
    if (remarks.length > 0) parts.push(remarks.join('\n'))
    return parts.join('\n\n')
  })
  return `# Results

Written by \`${report.command}\` on ${report.date}. How to read it: [README.md](README.md).

Servers, with all their children, ran on core 0 and the load on core 1; rounds went around all rivals in
turn; a figure is the median of ${report.rounds} rounds of ${report.seconds} s unless the scenario says otherwise. Access logs
were off for everybody. Every server's answer was checked before it was measured, and a round with a
failed request is not counted.

${markdownTable(verdictTable(report.verdicts))}

${sections.join('\n\n')}

## Where and what

${markdownTable(machine)}

${markdownTable(versions)}
`
}
