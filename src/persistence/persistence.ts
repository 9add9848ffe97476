/**
 * Visitors that belong to a server. The scheduler's order is wrapped: first comes the visitor's own server,
 * if it takes visitors that belong to it, then whoever the scheduler says. A pool without persistence has
 * the bare scheduler.
 */
import type { Exchange } from '../request/exchange.ts'
import type { Key } from '../schedulers/scheduler.ts'

/** The visitor belongs to nobody. */
export const NOBODY = -1

/** Servers are told by their index in the pool's plan. */
export interface Persistence {
  /** Whose the visitor is, or NOBODY. */
  find(key: Key): number
  /**
   * The visitor, who was `before`'s, is sent to `server`. Whose it is now: another thread may have sent it
   * to somebody else meanwhile, who is to have it then.
   */
  settle(key: Key, before: number, server: number): number
  /** What stands between a visitor and `server`, to mark requests and answers; null: nothing has to. */
  readonly through: ((exchange: Exchange, server: number) => Exchange) | null
}
