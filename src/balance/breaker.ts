/**
 * Whether somebody who keeps failing is asked, known to all threads at once:
 *
 *     closed ──failures in a row, or too large a share──▶ open ──time──▶ half open
 *       ▲                                                  ▲               │ one trial
 *       └──────────── the trial went well ─────────────────┼───────────────┤
 *                                                          └─── it failed ─┘ twice as long
 *
 * The head of an answer decides a trial. One that is called off makes way for another at once, and one of which
 * nothing is heard after the first rest's time.
 *
 * Counts are exact: what a window holds is one cell, changed by compare-and-swap.
 */
import { TICK_MS } from '../request/clock.ts'
import type { BreakerPlan } from '../site/resilience-plan.ts'
import { elapsed, instant, recently } from './instant.ts'

/** Shared Int32 places that it needs. */
export const BREAKER_CELLS = 5

/** Failures since the last success. */
const ROW = 0
/** Open until then; 0: closed. In the past: half open. */
const UNTIL = 1
/** How often it has opened without a long time in between. */
const OPENINGS = 2
/** The window's number, requests and failures: 8, 12 and 12 bits. */
const WINDOW = 3
/** When it closed last; 0: it was never open. */
const CLOSED = 4

const MOST = 0xfff

/** Whether somebody may be left out: others have to be left, and only one thread decides at a time. */
export interface Consent {
  ask(): boolean
  /** After a yes: it is done. */
  done(): void
}

/** Closed, half open and this is the trial, or neither. */
export type Admission = 'yes' | 'trial' | 'no'

/** What shows whether somebody works again. Only the first thing it shows counts. */
export interface Trial {
  /** Nobody else has one until then, as an instant. */
  readonly until: number
  /** How often the breaker had opened before. */
  readonly openings: number
  isOver: boolean
}

export class Breaker {
  readonly #cells: Int32Array
  readonly #plan: BreakerPlan
  /** Null: it needs none. */
  readonly #consent: Consent | null

  constructor(cells: Int32Array, plan: BreakerPlan, consent: Consent | null = null) {
    this.#cells = cells
    this.#plan = plan
    this.#consent = consent
  }

  /** Nobody is to come before its time is over. Hot. */
  get open(): boolean {
    const until = Atomics.load(this.#cells, UNTIL)
    return until !== 0 && elapsed(recently(), until) > 0
  }

  /** It is open or half open. */
  get tripped(): boolean {
    return Atomics.load(this.#cells, UNTIL) !== 0
  }

  /** Until it is half open, ms; 0: it is not open. */
  leftMs(nowMs: number): number {
    const until = Atomics.load(this.#cells, UNTIL)
    return until === 0 ? 0 : Math.max(0, elapsed(instant(nowMs), until))
  }

  /** When it closed last, as an instant; 0: it was never open. */
  get closedAt(): number {
    return Atomics.load(this.#cells, CLOSED)
  }

  admit(): Admission {
    const until = Atomics.load(this.#cells, UNTIL)
    if (until === 0) return 'yes'
    const now = instant(performance.now())
    if (elapsed(now, until) > 0) return 'no'
    // Whoever moves the end on has the trial; should nothing be heard of it, there is another one then.
    const next = (now + this.#plan.restMs) | 0 || 1
    return Atomics.compareExchange(this.#cells, UNTIL, until, next) === until ? 'trial' : 'no'
  }

  /** What was just admitted as a trial. */
  beginTrial(): Trial {
    const cells = this.#cells
    return {
      until: Atomics.load(cells, UNTIL),
      openings: Atomics.load(cells, OPENINGS),
      isOver: false,
    }
  }

  /** The trial shows that it works. True: it has closed because of this. */
  pass(trial: Trial): boolean {
    if (!this.#endTrial(trial)) return false
    const cells = this.#cells
    if (Atomics.load(cells, ROW) !== 0) Atomics.store(cells, ROW, 0)
    Atomics.store(cells, CLOSED, instant(performance.now()))
    Atomics.store(cells, UNTIL, 0)
    return true
  }

  /** It shows nothing: somebody else may be the trial at once. */
  giveBack(trial: Trial): void {
    if (!this.#endTrial(trial)) return
    // Over for each thread's coarse clock.
    const past = (instant(performance.now()) - 2 * TICK_MS) | 0 || 1
    Atomics.compareExchange(this.#cells, UNTIL, trial.until, past)
  }

  /** False: it says nothing any more. It has been over, or another one has shown something meanwhile. */
  #endTrial(trial: Trial): boolean {
    if (trial.isOver) return false
    trial.isOver = true
    return this.tripped && Atomics.load(this.#cells, OPENINGS) === trial.openings
  }

  good(): void {
    const cells = this.#cells
    if (Atomics.load(cells, ROW) !== 0) Atomics.store(cells, ROW, 0)
    if (this.#plan.share > 0) this.#count(0)
  }

  /** `trial`: null if it is none. True: it has opened because of this. */
  bad(trial: Trial | null): boolean {
    const { failures, share, least } = this.#plan
    const row = Atomics.add(this.#cells, ROW, 1) + 1
    let tooMany = failures > 0 && row >= failures
    if (share > 0) {
      const window = this.#count(1)
      const requests = (window >>> 12) & MOST
      if (requests >= least && (window & MOST) >= share * requests) tooMany = true
    }
    if (trial !== null && this.#endTrial(trial)) return this.#openAgain()
    return tooMany && this.#open()
  }

  /** Notes one more request; returns the window with it. */
  #count(failed: 0 | 1): number {
    const cells = this.#cells
    const number = Math.floor((recently() >>> 0) / this.#plan.windowMs) & 0xff
    for (;;) {
      const before = Atomics.load(cells, WINDOW)
      let requests = 0
      let failures = 0
      if (before >>> 24 === number) {
        requests = (before >>> 12) & MOST
        failures = before & MOST
        if (requests === MOST) {
          // Only their share matters.
          requests >>= 1
          failures >>= 1
        }
      }
      const after = (number << 24) | ((requests + 1) << 12) | (failures + failed)
      if (Atomics.compareExchange(cells, WINDOW, before, after) === before) return after
    }
  }

  #open(): boolean {
    if (this.tripped) return false
    if (this.#consent === null) return this.#trip()
    if (!this.#consent.ask()) return false
    const opened = this.#trip()
    this.#consent.done()
    return opened
  }

  #trip(): boolean {
    const cells = this.#cells
    const now = instant(performance.now())
    const closed = Atomics.load(cells, CLOSED)
    // Each rest's length without trouble is forgiven once.
    const before = Atomics.load(cells, OPENINGS)
    const quiet = closed === 0 ? 0 : Math.floor(elapsed(closed, now) / this.#plan.restMs)
    const openings = Math.max(0, before - Math.max(0, quiet))
    if (Atomics.compareExchange(cells, UNTIL, 0, this.#end(now, openings)) !== 0) return false
    this.#forget(openings + 1)
    return true
  }

  #openAgain(): boolean {
    const openings = Atomics.load(this.#cells, OPENINGS)
    Atomics.store(this.#cells, UNTIL, this.#end(instant(performance.now()), openings))
    this.#forget(openings + 1)
    return true
  }

  #forget(openings: number): void {
    const cells = this.#cells
    Atomics.store(cells, OPENINGS, Math.min(openings, 31))
    Atomics.store(cells, ROW, 0)
    Atomics.store(cells, WINDOW, 0)
  }

  #end(now: number, openings: number): number {
    const { restMs, longestMs } = this.#plan
    return (now + Math.min(Math.max(restMs, longestMs), restMs * 2 ** openings)) | 0 || 1
  }
}
