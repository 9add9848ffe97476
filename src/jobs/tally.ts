/** How many jobs there are, for those who ask every second: a store of a million takes its time to count. */
import type { QueueFacts } from './engine.ts'

/** Counts are as old as this at least before they are taken anew, ms. */
const FRESH_MS = 1_000
/** And as old as so many times what counting took. */
const REST = 20
/** Who asks is told the last counts when the new ones take longer, ms. */
const PATIENCE_MS = 300
/** Of more queues than people could look at, the first. */
const MOST = 1_000

export class Tally {
  readonly #count: () => Promise<readonly QueueFacts[]>
  #known: readonly QueueFacts[] = []
  #freshUntil = 0
  #counting: Promise<void> | null = null

  constructor(count: () => Promise<readonly QueueFacts[]>) {
    this.#count = count
  }

  async latest(): Promise<readonly QueueFacts[]> {
    if (performance.now() >= this.#freshUntil) this.#counting ??= this.#take()
    if (this.#counting !== null) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, PATIENCE_MS)
      })
      await Promise.race([this.#counting, late])
      clearTimeout(timer)
    }
    return this.#known
  }

  async #take(): Promise<void> {
    const began = performance.now()
    try {
      this.#known = (await this.#count()).slice(0, MOST)
    } catch {
      // A broker that is away has been complained of; these are the last counts that there are.
    }
    const took = performance.now() - began
    this.#freshUntil = performance.now() + Math.max(FRESH_MS, REST * took)
    this.#counting = null
  }
}
