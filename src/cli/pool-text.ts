/** Servers of pools for people. */
import type { PoolStatuses, ServerHealth } from '../balance/health-report.ts'
import { harmless, showMs, showTime, table } from './show.ts'

/** `since` is told up to now, ms since 1970. */
export function poolTable(pools: PoolStatuses, now: number): string[] {
  const rows = Object.entries(pools).flatMap(([pool, { servers }]) =>
    servers.map((server) => [
      harmless(pool),
      harmless(server.server),
      server.check === '' ? '-' : harmless(server.check),
      harmless(serverState(server)),
      server.since === 0 ? '-' : showTime(Math.max(0, now - server.since)),
      `${server.effective}`,
      `${server.active}`,
      `${server.checks}`,
      `${server.failures}`,
      showMs(server.lastMs),
    ]),
  )
  if (rows.length === 0) return []
  const head = ['pool', 'server', 'check', 'state', 'for', 'weight', 'in hand', 'checks', 'bad']
  return table([[...head, 'last'], ...rows], 4)
}

/** What HAProxy says, `up`, `down`, `drain`, `maint`, and why. */
export function serverState({ order, out, verdict, why, check, backup }: ServerHealth): string {
  const role = backup ? ' (backup)' : ''
  if (order === 'maint' || out) return `maint${role}`
  const unseen = check === '' ? 'not checked' : 'not checked yet'
  const health = verdict === 'none' ? unseen : verdict === 'down' ? `down: ${why}` : verdict
  return `${order === 'drain' ? `drain, ${health}` : health}${role}`
}
