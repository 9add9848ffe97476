/** What stands before a route's handler. Absent parts do nothing and cost nothing. */

/** By what visitors are told apart. `name`: of a header (in lower case) or cookie; else ''. */
export interface LimitKeyPlan {
  readonly of: 'address' | 'host' | 'everyone' | 'header' | 'cookie'
  readonly name: string
}

export interface LimitPlan {
  /** Of its table in shared memory; routes that count together have the same one. */
  readonly table: string
  readonly by: LimitKeyPlan
  /** What one request takes, ms: 1000 / rate; 0: requests are not counted over time. */
  readonly intervalMs: number
  /** Requests that may come at once. */
  readonly burst: number
  /** Of these, how many are answered without delay; the others at the rate. */
  readonly prompt: number
  /** Requests in hand at a time; 0: as many as come. */
  readonly concurrency: number
  /** Of the answer to who comes too often. */
  readonly status: 429 | 503
  /** Visitors are told how much is left (RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset). */
  readonly tell: boolean
  /** Visitors that are remembered at a time. */
  readonly keys: number
}

/** Networks as `address/bits`, `unix` for visitors without an address, or `all`. The most specific decides, then deny. */
export interface AccessPlan {
  readonly allow: readonly string[]
  readonly deny: readonly string[]
}

/** Names and passwords (RFC 7617). */
export interface AuthPlan {
  /** Absolute: a file of `name:hash` lines; '' for `users`. */
  readonly file: string
  /** Names to hashes. */
  readonly users: Readonly<Record<string, string>>
  readonly realm: string
  /** Whoever is behind gets the Authorization field. */
  readonly pass: boolean
  /** `any`: whom `allow` and `deny` let in need not say who they are. */
  readonly satisfy: 'all' | 'any'
}

export interface FiltersPlan {
  readonly limits?: readonly LimitPlan[]
  readonly access?: AccessPlan
  readonly auth?: AuthPlan
}
