/** Requests of one thread that wait for a place at the servers of a pool: see Places. */
import { onTick } from '../request/clock.ts'
import type { Transport } from '../transports/transport.ts'
import type { Trial } from './breaker.ts'
import type { Figures } from './figures.ts'
import { ANY, type Places, type Ticket } from './places.ts'
import type { Target } from './target.ts'

export interface Waiter<Carrier = Transport> {
  /** It has a place at `target`; `trial`: it is to show whether that works again, else null. */
  granted(target: Target<Carrier>, trial: Trial | null): void
  /** It has waited too long, or has left. */
  inVain(): void
}

export class PlaceQueue<Carrier = Transport> {
  readonly #places: Places
  readonly #targets: readonly Target<Carrier>[]
  readonly #figures: Figures
  readonly #stopTicks: () => void
  /** Those of this thread. */
  #own = 0

  constructor(places: Places, targets: readonly Target<Carrier>[], figures: Figures) {
    this.#places = places
    this.#targets = targets
    this.#figures = figures
    // A server may have come back, or have got a larger share, without any place being given back.
    this.#stopTicks = onTick(() => {
      if (this.#own > 0) this.#offer()
    })
  }

  /** In all threads. */
  get depth(): number {
    return this.#places.depth
  }

  /** There is somebody whose place may become free. */
  get hasHope(): boolean {
    return this.#targets.some(mayBecomeFree)
  }

  /** `own`: only a place there will do. Null: the queue is full. */
  wait(
    waiter: Waiter<Carrier>,
    timeoutMs: number,
    own: Target<Carrier> | null = null,
  ): Ticket | null {
    const since = performance.now()
    const settled = (place: number): void => {
      this.#own--
      this.#figures.add('queuedMs', Math.round(performance.now() - since))
      if (place < 0) return waiter.inVain()
      const target = this.#targets[place >> 1]!
      waiter.granted(target, (place & 1) === 1 ? (target.breaker?.beginTrial() ?? null) : null)
    }
    const kind = own === null ? ANY : this.#kind(own)
    const ticket = this.#places.wait(timeoutMs, settled, kind)
    if (ticket === null) return null
    this.#own++
    this.#figures.add('queued')
    // A place may have become free before there was anybody to hand it to.
    this.#offer()
    return ticket
  }

  /** Gives back a place at `target`: to who waits, else to everybody. */
  release(target: Target<Carrier>): void {
    if (this.#places.depth > 0 && target.able && target.breaker?.tripped !== true) {
      const kind = this.#kind(target)
      if (this.#places.grant((kind - 1) << 1, kind)) return
    }
    target.release()
    if (this.#places.depth > 0) this.#offer()
  }

  close(): void {
    this.#stopTicks()
  }

  #kind(target: Target<Carrier>): number {
    return this.#targets.indexOf(target) + 1
  }

  /** Hands out the places that are free. */
  #offer(): void {
    for (const [at, target] of this.#targets.entries()) {
      while (this.#places.depth > 0 && target.ready && target.take()) {
        const { breaker } = target
        const admission = breaker?.admit() ?? 'yes'
        const place = (at << 1) | (admission === 'trial' ? 1 : 0)
        if (admission !== 'no' && this.#places.grant(place, at + 1)) continue
        if (admission === 'trial') breaker?.giveBack(breaker.beginTrial())
        target.release()
        break
      }
    }
  }
}

/** It takes so many at once only, and requests at all. */
export function mayBecomeFree<Carrier>(target: Target<Carrier>): boolean {
  return target.most > 0 && target.able
}
