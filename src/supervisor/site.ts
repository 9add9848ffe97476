/** What the supervisor is given to serve. */
import type { SitePlan } from '../site/plan.ts'

export interface Site {
  readonly plan: SitePlan
  /** One line for people: what it is and where it came from. */
  readonly description: string
  readonly warnings: readonly string[]
  /** What is to be known, and nothing to worry about. */
  readonly notes?: readonly string[]
}

/** Reads the site anew, at start and at each reload. Rejects with a message for people. */
export type LoadSite = () => Promise<Site>
