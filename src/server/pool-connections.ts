/** What is told of connections to the servers of pools, beside how these are. */
import type { PoolStatuses } from '../balance/health-report.ts'
import type { SitePlan } from '../site/plan.ts'
import { readTally } from '../transports/backend/tally.ts'

export function withConnections(
  statuses: PoolStatuses,
  tallies: SharedArrayBuffer,
  plan: SitePlan,
): PoolStatuses {
  const pairs = Object.entries(statuses).map(([pool, status]): [string, typeof status] => {
    const names = plan.pools[pool]?.servers.map(({ name }) => name) ?? []
    const servers = status.servers.map((server) => ({
      ...server,
      connections: readTally(tallies, plan, pool, names.indexOf(server.server)),
    }))
    return [pool, { ...status, servers }]
  })
  return Object.fromEntries(pairs)
}
