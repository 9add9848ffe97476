/** A route without filters: its handler, and the door that `portico maintenance on` shuts. */
import type { Handler } from '../request/exchange.ts'
import type { Doors } from '../request/route.ts'
import type { FilterHost } from './filter.ts'
import { closed } from './maintenance.ts'

export function unfiltered(handler: Handler, host: FilterHost): Doors {
  return { open: handler, shut: closed(undefined, handler, host) }
}
