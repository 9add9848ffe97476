/** What generations that have ended leave behind: their counts, so that an application's survive a reload. */
import type { ServerNumbers } from '../server/protocol.ts'
import { addNumbers, endedNumbers, known, noNumbers, withoutSlots } from '../stats/numbers.ts'
import type { GenerationStatus } from './generation.ts'
import { addSums, type RestartSums } from './restarts.ts'
import { addTotals, ended, noTotals, type Totals } from './status.ts'

const noRestarts: RestartSums = { restarts: 0, reasons: {} }

/** Never changes: whoever adds up has to see either the generation or what it left behind. */
export class History {
  readonly totals: Totals
  readonly numbers: ServerNumbers
  readonly #restarts: Readonly<Record<string, RestartSums>>

  constructor(
    totals: Totals = noTotals,
    numbers: ServerNumbers = noNumbers,
    restarts: Readonly<Record<string, RestartSums>> = {},
  ) {
    this.totals = totals
    this.numbers = numbers
    this.#restarts = restarts
  }

  restartsOf(app: string): RestartSums {
    return this.#restarts[app] ?? noRestarts
  }

  /** `over` has ended; of what the generation that serves now does not have, nothing is kept. */
  with(over: GenerationStatus, totals: Totals, now: GenerationStatus | undefined): History {
    const all = addNumbers(this.numbers, withoutSlots(endedNumbers(over.numbers)))
    const apps = Object.entries(over.apps).map(([name, facts]): [string, RestartSums] => [
      name,
      addSums(this.restartsOf(name), facts),
    ])
    const restarts = Object.entries({ ...this.#restarts, ...Object.fromEntries(apps) })
    return new History(
      addTotals(this.totals, ended(totals)),
      now === undefined ? all : known(all, now.numbers),
      Object.fromEntries(restarts.filter(([name]) => now === undefined || name in now.apps)),
    )
  }
}
