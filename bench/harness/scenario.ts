/** The seam between the runner and the scenarios. */
import type { Rival } from './rival.ts'

/** What one run of the bench gives every scenario. */
export interface Bench {
  readonly rounds: number
  /** Length of one measurement, in whole seconds. */
  readonly seconds: number
  readonly quick: boolean
  /** A private folder, removed at the end. */
  readonly scratch: string
  /** Those of `rivals` that are on this machine. The others become rows that name the remedy. */
  select(rivals: readonly Rival[]): { present: Rival[]; missing: Row[] }
  progress(text: string): void
}

export type Format =
  | 'rate'
  | 'micros'
  | 'millis'
  | 'memory'
  | 'bytes'
  | 'speed'
  | 'count'
  | 'number'
  | 'ratio'

export interface Column {
  readonly key: string
  readonly title: string
  readonly format: Format
}

export interface Row {
  readonly rival: string
  /** By column key; what could not be measured is absent. */
  readonly values: Readonly<Record<string, number>>
  /** Everything a reader must know to believe the figures, or why there are none. */
  readonly remarks: readonly string[]
  /** Set when the rival is not on this machine, or failed. */
  readonly absent?: 'missing' | 'failed'
}

export interface Scenario {
  readonly name: string
  /** What is measured, in one sentence. */
  readonly title: string
  readonly columns: readonly Column[]
  /** The rival that ratios refer to, and the column they are made from. */
  readonly reference?: { readonly rival: string; readonly column: string }
  run(bench: Bench): Promise<Row[]>
}

export function failed(rival: string, error: unknown): Row {
  const message = error instanceof Error ? error.message : String(error)
  return { rival, values: {}, remarks: [message], absent: 'failed' }
}

/** Measures one rival after the other; one that fails keeps none from its turn. */
export async function inTurn(
  rivals: readonly Rival[],
  bench: Bench,
  measure: (rival: Rival, bench: Bench) => Promise<Row>,
): Promise<Row[]> {
  const { present, missing } = bench.select(rivals)
  const rows: Row[] = []
  for (const rival of present) {
    try {
      rows.push(await measure(rival, bench))
    } catch (error) {
      rows.push(failed(rival.name, error))
    }
  }
  return [...rows, ...missing]
}
