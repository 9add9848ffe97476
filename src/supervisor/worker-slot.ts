/**
 * One slot for a worker: who is in it, and how far.
 *
 *     empty ──► forking ──► starting ──joined──► serving ──► leaving ──► empty
 *                 ▲             │ died              │ died
 *                 └── waiting ◄─┴───────────────────┘
 */
import { Backoff, CIRCUIT_DEATHS } from './backoff.ts'
import { type LastRestart, type RestartCounts, type RestartReason, Restarts } from './restarts.ts'
import type { WarmParent } from './warm-parent.ts'

/**
 * Shorter lives than this are failed starts, ms. It is short on purpose: a worker that dies of what a
 * visitor sent must be back at once, or that visitor could keep the site down.
 */
const YOUNG_MS = 150

export type Phase =
  | 'empty'
  /** Its worker has died; the next one starts in a while. */
  | 'waiting'
  /** The parent was asked for a worker. */
  | 'forking'
  /** It is not yet linked to every thread of the server. */
  | 'starting'
  | 'serving'
  /** It was told to finish what it has in hand. */
  | 'leaving'

/** Why a worker is to be replaced. */
export interface Due {
  readonly reason: RestartReason
  /** For people: the number, the size or the age. */
  readonly how: string
}

export interface WorkerFacts {
  readonly slot: number
  readonly pid: number
  readonly restarts: number
  /** Why there were. */
  readonly reasons: RestartCounts
  /** Why the last of these was; null: there was none. */
  readonly lastRestart: LastRestart | null
  readonly uptimeMs: number
  readonly phase?: Phase
}

/** What a worker hands on to the one that takes over from it. */
export class History {
  readonly restarts: Restarts = new Restarts()
  readonly backoff: Backoff = new Backoff({ youngMs: YOUNG_MS, firstMs: 100, longestMs: 5_000 })
  /** Those in a row that never served. */
  unborn = 0

  get reasons(): RestartCounts {
    return this.restarts.counts
  }

  get isDyingYoung(): boolean {
    return this.backoff.deaths >= CIRCUIT_DEATHS
  }
}

export class WorkerSlot {
  readonly number: number
  phase: Phase = 'empty'
  /** The one that has forked its worker, or is to. */
  parent: WarmParent | null = null
  /** 0: nobody yet. */
  pid = 0
  /** On `performance.now()`. */
  startedAt = 0
  history: History = new History()
  /** The one that leaves when this one serves. */
  replaces: WorkerSlot | null = null
  due: Due | null = null
  /** Between 0 and 1: how much of the jitter is this worker's. */
  luck = 0
  /** It is about to be killed: no second report counts. */
  doomed = false
  /** Linked before the parent has told of its birth. */
  joinedAs = 0
  /** Resolves when no request goes to it any more. */
  dismissed: Promise<void> = Promise.resolve()
  /** Until it is told a second time that it is to leave. */
  reminder: NodeJS.Timeout | undefined
  /** Until the next one starts, or the one that is here is killed. */
  timer: NodeJS.Timeout | undefined
  /** Grows each time that a slot becomes empty: those that were so longest are used first. */
  emptied = 0

  constructor(number: number) {
    this.number = number
  }

  get ageMs(): number {
    return performance.now() - this.startedAt
  }

  get facts(): WorkerFacts {
    const { total: restarts, counts: reasons, last: lastRestart } = this.history.restarts
    const { number: slot, pid, phase } = this
    return { slot, pid, restarts, reasons, lastRestart, uptimeMs: Math.round(this.ageMs), phase }
  }
}
