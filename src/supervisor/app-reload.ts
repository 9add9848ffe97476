/**
 * The reload of one application: a second warm parent imports it anew beside the first; when its workers
 * serve, those of the first may leave. All at once, or one after the other (rolling).
 */
import type { AppPlan } from '../site/plan.ts'
import { CIRCUIT_DEATHS } from './backoff.ts'
import type { Fleet } from './fleet.ts'
import { LoadFailure } from './load-failure.ts'
import { orAborted } from './timers.ts'
import type { WarmParent } from './warm-parent.ts'
import type { WorkerSlot } from './worker-slot.ts'

/** Beyond an application's start timeout: until a worker is linked to the server, ms. */
const CONNECT_TIMEOUT_MS = 10_000

export interface ReloadHow {
  /** One worker at a time: needs the memory of one worker more, not of twice as many. */
  readonly rolling: boolean
  /** Gives up when aborted. */
  readonly signal: AbortSignal
}

export class Takeover {
  readonly #app: AppPlan
  readonly #fleet: Fleet
  readonly #aborted = new AbortController()
  #next: WarmParent | null = null
  #waiting: (() => void)[] = []

  constructor(app: AppPlan, fleet: Fleet) {
    this.#app = app
    this.#fleet = fleet
  }

  get next(): WarmParent | null {
    return this.#next
  }

  /** Resolves when `next` has `wanted` workers that serve; those of `old` are then to leave. */
  async run(
    old: WarmParent | null,
    next: WarmParent,
    wanted: number,
    { rolling, signal }: ReloadHow,
  ): Promise<void> {
    this.#next = next
    const either = AbortSignal.any([signal, this.#aborted.signal])
    await this.#until(() => next.isLoaded, either)
    if (rolling && old !== null) return this.#roll(old, next, wanted, either)
    await this.#grow(next, wanted, either)
  }

  async #roll(
    old: WarmParent,
    next: WarmParent,
    wanted: number,
    signal: AbortSignal,
  ): Promise<void> {
    for (let count = 1; count <= wanted; count++) {
      await this.#grow(next, count, signal)
      const [leaver] = this.#fleet.of(old)
      if (leaver === undefined) continue
      this.#fleet.count(leaver, 'reload', '')
      this.#fleet.retire(leaver)
      const isGone = (): boolean => leaver.phase === 'empty' || leaver.parent !== old
      await this.#until(isGone, signal)
    }
  }

  /** Resolves when `next` has `count` workers that serve; asks for them as slots become empty. */
  async #grow(next: WarmParent, count: number, signal: AbortSignal): Promise<void> {
    await this.#until(() => {
      this.#fleet.resize(next, count)
      const all = this.#fleet.of(next)
      const dying = all.find(isDying)
      if (dying !== undefined) {
        this.abort(
          new LoadFailure(
            this.#app.name,
            `its workers keep dying right after their start (${this.#fleet.lastDeath}); see the log`,
          ),
        )
      }
      return all.filter(({ phase }) => phase === 'serving').length >= count
    }, signal)
  }

  /** Asks `isDone` at each change; rejects when that takes too long. */
  async #until(isDone: () => boolean, signal: AbortSignal): Promise<void> {
    const limitMs = this.#app.startTimeoutMs + CONNECT_TIMEOUT_MS
    const timer = setTimeout(() => {
      this.abort(
        new LoadFailure(this.#app.name, `its workers did not serve within ${limitMs / 1000} s`),
      )
    }, limitMs)
    try {
      while (!isDone()) {
        const change = new Promise<void>((resolve) => this.#waiting.push(resolve))
        await orAborted(change, signal)
      }
      signal.throwIfAborted()
    } finally {
      clearTimeout(timer)
    }
  }

  /** Something about the workers is different. */
  changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** `parent` will fork no worker. */
  failed(parent: WarmParent, detail: string): void {
    if (parent === this.#next) this.abort(new LoadFailure(this.#app.name, detail))
  }

  abort(reason: Error): void {
    this.#aborted.abort(reason)
  }
}

function isDying({ history }: WorkerSlot): boolean {
  return history.unborn >= CIRCUIT_DEATHS
}
