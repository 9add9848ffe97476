/**
 * What the threads of a server know together of one backend: a cache line of Int32 cells in shared
 * memory, read and written with atomics alone. Fresh memory, all zeros, is a backend that was never
 * checked, never touched and has nothing in hand: it is up and has the weight of the site file.
 */

export type SharedCells = Int32Array<SharedArrayBuffer>

/** A cache line for each backend, so that threads do not take each other's away. */
export const TARGET_CELLS = 16

/** Before the first backend a line of the pool's own: its first cell counts changes of weights. */
export const WEIGHINGS_CELLS = 16

/** Exchanges in hand. */
export const ACTIVE = 0
/** The first of two: see Latency. */
export const LATENCY = 1
/** Of the active checks: one of `verdicts`. */
export const VERDICT = 3
/** What an administrator has said: one of `orders`. */
export const ADMIN = 4
/** What its check says that it weighs, plus 1; 0: what the site file says. See WeighedTier. */
export const WEIGHT = 5
/** The first of five: whether it is asked after failures. See Breaker. */
export const BREAKER = 6
/** Since when it is back: see slow-start.ts. */
export const SLOW_START = 11
/** The first that nobody uses. */
export const SPARE = 12

/** Anything but `down` takes requests. */
export const verdicts = { none: 0, up: 1, down: 2 } as const
export type Verdict = keyof typeof verdicts

/**
 * `drain`: only visitors that belong to it already; `maint`: nobody, and it is not checked. Words of
 * HAProxy's `set server … state`.
 */
export const orders = { ready: 0, drain: 1, maint: 2 } as const
export type Order = keyof typeof orders
