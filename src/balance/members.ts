/** A pool's targets, divided into those that are asked first and those that rest after a failure. */
import { clock } from '../request/clock.ts'
import type { Target } from './target.ts'

/** How long a target that refused is asked last, ms: long enough to spare visitors a connect timeout. */
const REST_MS = 2_000

export class Members {
  readonly all: readonly Target[]
  #ready: readonly Target[]
  /** When the next one has rested, ms on the coarse clock. */
  #nextReady = Number.POSITIVE_INFINITY

  constructor(targets: readonly Target[]) {
    this.all = targets
    this.#ready = targets
  }

  /** Those that do not rest. The list keeps its identity while nothing changes. */
  get ready(): readonly Target[] {
    if (clock.now >= this.#nextReady) this.#divide()
    return this.#ready
  }

  /** `target` could not be connected to. */
  rest(target: Target): void {
    target.restsUntil = clock.now + REST_MS
    this.#divide()
  }

  #divide(): void {
    this.#ready = this.all.filter((target) => target.restsUntil <= clock.now)
    this.#nextReady = Number.POSITIVE_INFINITY
    for (const { restsUntil } of this.all) {
      if (restsUntil > clock.now) this.#nextReady = Math.min(this.#nextReady, restsUntil)
    }
  }
}
