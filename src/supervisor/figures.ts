/** The figures of a site for its log: what uWSGI writes there when it gets USR1. */
import { showSize } from '../site/units.ts'
import type { SiteStatus } from './status.ts'

export function figures(status: SiteStatus): string[] {
  const { totals, server } = status
  const lines = [
    `figures: ${totals.requests.total} requests, ${totals.requests.active} in hand, ` +
      `${totals.connections.open} connections, server ${server.pid} holds ${showSize(totals.memory.rss)}`,
  ]
  for (const [name, app] of Object.entries(status.apps)) {
    lines.push(
      `figures of ${name}: ${app.requests} requests, ${app.errors} errors, ${app.waiting} waiting, ` +
        `${app.busy} busy, ${app.workers.length} workers: ${app.workers
          .map(({ pid, requests }) => `${pid} (${requests})`)
          .join(' ')}`,
    )
  }
  return lines
}
