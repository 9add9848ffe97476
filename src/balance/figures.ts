/** What has happened in a pool since its server process began, counted in shared memory by all threads. */

const NAMES = [
  'requests',
  'failed',
  'retries',
  'retriesRefused',
  'hedges',
  'hedgesWon',
  'leftOut',
  'turnedAway',
  'queued',
  'queueFull',
  'queueLate',
  'queuedMs',
] as const

export type FigureName = (typeof NAMES)[number]
export type PoolFigures = Readonly<Record<FigureName, number>>

/** Shared Int32 places that they need. */
export const FIGURE_CELLS = 12

export class Figures {
  readonly #cells: Int32Array

  constructor(cells: Int32Array) {
    this.#cells = cells
  }

  add(name: FigureName, count = 1): void {
    Atomics.add(this.#cells, NAMES.indexOf(name), count)
  }

  read(): PoolFigures {
    const pairs = NAMES.map((name, at) => [name, Atomics.load(this.#cells, at) >>> 0])
    return Object.fromEntries(pairs) as PoolFigures
  }
}
