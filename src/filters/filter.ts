/** The seam of filters: what stands before a handler, and decides or changes something first. */
import type { Handler } from '../request/exchange.ts'

/** What filters have of the server thread that they run in. */
export interface FilterHost {
  /** Tables of limits by name, shared by all threads: see limit/allocate.ts. */
  readonly limits: Readonly<Record<string, SharedArrayBuffer>>
  /** A line for the log. */
  readonly complain: (message: string) => void
}

/** Made once at load. `next`: whoever is behind; closing the result closes it. */
export type Filter<Plan> = (plan: Plan, next: Handler, host: FilterHost) => Handler
