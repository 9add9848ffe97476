/** The seam of filters: what stands before a handler, and decides or changes something first. */
import type { Exchange, Handler } from '../request/exchange.ts'
import type { RequestLine } from '../wire/request-line.ts'

/** What filters have of the server thread that they run in. */
export interface FilterHost {
  /** Tables of limits by name, shared by all threads: see limit/allocate.ts. */
  readonly limits: Readonly<Record<string, SharedArrayBuffer>>
  /** Pools by name, for whoever has to ask other servers. */
  readonly serve: (pool: string, exchange: Exchange) => void
  /** Has whichever route answers another path answer a request, which nobody has answered. */
  readonly reroute: (exchange: Exchange, line: RequestLine) => void
  /** A line for the log. */
  readonly complain: (message: string) => void
}

/** Made once at load. `next`: whoever is behind; closing the result closes it. */
export type Filter<Plan> = (plan: Plan, next: Handler, host: FilterHost) => Handler
