/** Who applications are, within which walls and bounds, for people. */
import type { AppStatus } from '../supervisor/status.ts'
import { showBytes, showTime, table } from './show.ts'

/** Those that live as the site does are left out. */
export function isolationTable(apps: readonly (readonly [string, AppStatus])[]): string[] {
  const rows = apps.flatMap(([name, { isolation, usage }]) => {
    if (isolation === undefined) return []
    const bounds = Object.entries(isolation.limits).map(([limit, by]) => `${limit} by ${by}`)
    const used =
      usage === undefined
        ? ['', '', '']
        : [showBytes(usage.memory), showTime(usage.cpuMs), `${usage.processes}`]
    return [[name, isolation.user, isolation.walls, bounds.join(', '), ...used]]
  })
  if (rows.length === 0) return []
  const head = ['isolated', 'user', 'walls', 'limits', 'memory', 'cpu', 'processes']
  return table([head, ...rows], 4)
}
