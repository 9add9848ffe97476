/** Which of its visitors belong to a server of a pool. */

/** Where the server of a visitor cannot answer: another one does, its own is asked all the same, or nobody. */
export type WhenDown = 'another' | 'stick' | 'refuse'

interface Common {
  readonly whenDown: WhenDown
}

/** What is kept in a table that all threads share. */
interface Tabled extends Common {
  /** A visitor who does not come for so long is forgotten, s. */
  readonly timeoutS: number
  /** Visitors that are remembered at a time. */
  readonly entries: number
}

export interface SourcePersistencePlan extends Tabled {
  readonly by: 'source'
  /** Bits of an address that tell visitors apart. */
  readonly mask: number
  readonly maskIpv6: number
}

export interface HeaderPersistencePlan extends Tabled {
  readonly by: 'header'
  /** Lower case. */
  readonly header: string
}

/** By the name that the application itself gives a session. */
export interface LearnedPersistencePlan extends Tabled {
  readonly by: 'learned'
  /** That it sets, and that visitors bring. */
  readonly cookie: string
  /** Where visitors may bring it beside the cookie: a parameter of the query or of the path; '' for neither. */
  readonly query: string
  /** A session that a visitor brings and nobody knows belongs to who answers it. */
  readonly fromRequests: boolean
}

export interface CookiePersistencePlan extends Common {
  readonly by: 'cookie'
  readonly mode: 'insert' | 'rewrite' | 'prefix'
  readonly name: string
  /** '' for none. */
  readonly domain: string
  readonly path: string
  readonly secure: 'auto' | 'always' | 'never'
  readonly httpOnly: boolean
  readonly sameSite: 'lax' | 'strict' | 'none' | ''
  /** For how long browsers keep it, s; 0: until they are closed. */
  readonly maxAgeS: number
  /** It counts no longer when it was not brought for so long, s; 0: it does. */
  readonly idleS: number
  /** It counts no longer so long after it was first given, s; 0: it does. */
  readonly lifeS: number
  /** Answers that set it are told to be kept by no shared cache. */
  readonly private: boolean
  /** The servers see it, too. */
  readonly pass: boolean
  /** Absolute file of the secret that it is signed with; '' for one of the site's own. */
  readonly secret: string
}

export type PersistencePlan =
  | SourcePersistencePlan
  | HeaderPersistencePlan
  | LearnedPersistencePlan
  | CookiePersistencePlan
