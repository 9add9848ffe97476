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

/** Whom `allow` and `deny` let in need not say who they are, with `any`. */
type Satisfy = 'all' | 'any'

/** Names and passwords (RFC 7617). */
export interface AuthPlan {
  /** Absolute: a file of `name:hash` lines; '' for `users`. */
  readonly file: string
  /** Names to hashes. */
  readonly users: Readonly<Record<string, string>>
  readonly realm: string
  /** Whoever is behind gets the Authorization field. */
  readonly pass: boolean
  readonly satisfy: Satisfy
}

/** Another server is asked about each request. Names of fields are in lower case, but in `copy`. */
export interface ForwardAuthPlan {
  readonly pool: string
  /** With variables: see filters/template.ts. */
  readonly path: string
  /** Of the visitor's fields; null: all. */
  readonly send: readonly string[] | null
  /** Of the answer, for the request: as written. */
  readonly copy: readonly string[]
  /** Of the answer: who it is; '' for nobody. */
  readonly user: string
  /** Of the answer, for the visitor. */
  readonly answer: readonly string[]
  readonly timeoutMs: number
  readonly satisfy: Satisfy
}

export interface TokenPlace {
  readonly of: 'bearer' | 'header' | 'cookie' | 'query'
  readonly name: string
}

/** JSON Web Tokens (RFC 7519). One of `file`, `url` and `secret` is given, the others are ''. */
export interface JwtPlan {
  /** Absolute: a key set or PEM. */
  readonly file: string
  readonly url: string
  /** Absolute. */
  readonly secret: string
  /** Empty: those that fit the keys. */
  readonly algorithms: readonly string[]
  readonly issuer: readonly string[]
  readonly audience: readonly string[]
  /** Claims to values; `*`: any. */
  readonly require: Readonly<Record<string, string>>
  readonly expires: boolean
  readonly leewaySeconds: number
  readonly from: readonly TokenPlace[]
  /** Claims to names of fields. */
  readonly claims: Readonly<Record<string, string>>
  readonly user: string
  readonly pass: boolean
  readonly refreshMs: number
  readonly realm: string
  readonly satisfy: Satisfy
}

/** Names to values; these may hold variables (filters/template.ts). Names are as written. */
export interface EditsPlan {
  readonly set: Readonly<Record<string, string>>
  readonly add: Readonly<Record<string, string>>
  readonly default: Readonly<Record<string, string>>
  readonly remove: readonly string[]
}

export interface HeadersPlan extends EditsPlan {
  /** Of error answers, too. */
  readonly always: boolean
}

export interface RewriteRule {
  /** Source of a regular expression for the decoded path. */
  readonly match: string
  readonly to: string
  /** 0: the request goes on here. */
  readonly status: number
  /** The route is found anew. */
  readonly again: boolean
}

export interface RewritePlan {
  readonly strip: string
  readonly add: string
  readonly rules: readonly RewriteRule[]
}

export interface CorsPlan {
  /** `*`, `null`, origins in lower case, with `*.` before a host for all below it, or `~` and an expression. */
  readonly origins: readonly string[]
  readonly methods: readonly string[]
  readonly headers: readonly string[]
  readonly expose: readonly string[]
  readonly credentials: boolean
  readonly maxAgeSeconds: number
  readonly privateNetwork: boolean
}

export type CodingName = 'zstd' | 'br' | 'gzip'

export interface CompressPlan {
  /** The best first. */
  readonly codings: readonly CodingName[]
  /** `*`, `text/*`, `application/*+json` or a whole type. */
  readonly types: readonly string[]
  /** Bytes. */
  readonly min: number
  readonly levels: Readonly<Record<CodingName, number>>
  /** At a time, in each thread. */
  readonly streams: number
}

export interface MaintenancePlan {
  readonly when: 'told' | 'always' | 'file'
  /** Absolute paths, or ''. */
  readonly exists: string
  readonly page: string
  readonly text: string
  readonly status: number
  readonly retryAfterSeconds: number
  /** As AccessPlan has them. */
  readonly except: readonly string[]
}

export interface ErrorsPlan {
  /** `404`, `4xx`: to absolute paths. */
  readonly pages: Readonly<Record<string, string>>
  readonly intercept: boolean
}

export interface FiltersPlan {
  readonly headers?: HeadersPlan
  readonly errors?: ErrorsPlan
  /** False: not even when told. */
  readonly maintenance?: MaintenancePlan | false
  readonly limits?: readonly LimitPlan[]
  readonly access?: AccessPlan
  /** Only who has shown a good certificate. */
  readonly certificate?: true
  readonly cors?: CorsPlan
  readonly auth?: AuthPlan
  readonly forward?: ForwardAuthPlan
  readonly jwt?: JwtPlan
  readonly requestHeaders?: EditsPlan
  readonly rewrite?: RewritePlan
  readonly compress?: CompressPlan
}
