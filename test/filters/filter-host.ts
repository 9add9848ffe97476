/** What filters have of the server thread that they run in, for tests of one filter alone. */
import { PorticoError } from '../../src/errors.ts'
import type { FilterHost } from '../../src/filters/filter.ts'

export function filterHost(more: Partial<FilterHost> = {}): FilterHost {
  return {
    limits: {},
    serve: (pool, exchange) => exchange.fail(new PorticoError('NO_BACKEND', pool)),
    reroute: (exchange, line) => exchange.fail(new PorticoError('NOT_FOUND', line.path)),
    complain: () => {},
    ...more,
  }
}
