/** What an operator is told about a plan that is sound, and yet will not do all that it says. */
import { isDeepStrictEqual } from 'node:util'
import type { SitePlan } from '../site/plan.ts'

/** `limit`: of files that may be open. */
export function tooFewFiles({ limits }: SitePlan, limit: number): string[] {
  // A visitor's connection may need a second descriptor: a backend's or a file's.
  const wanted = limits.connections * 2
  if (limit >= wanted) return []
  return [
    `at most ${limit} files can be open, ${wanted} may be needed: raise it (ulimit -n, LimitNOFILE=) or lower limits.connections`,
  ]
}

/** `addresses`: of sockets that a service manager holds, and nobody accepts from. */
export function unusedSockets(addresses: readonly string[]): string[] {
  return addresses.map(
    (address) =>
      `the service manager holds ${address}, where this site does not listen: visitors there wait in vain; take it out of the socket unit, or into \`listen:\``,
  )
}

/** What a reload has read and cannot change. */
export function needsRestart(before: SitePlan, after: SitePlan): string[] {
  const keys: string[] = []
  for (const key of ['admin', 'pidFile', 'user', 'group', 'signals', 'state'] as const) {
    if (before[key] !== after[key]) keys.push(key)
  }
  if (!isDeepStrictEqual(before.commons, after.commons)) keys.push('cache')
  for (const key of ['engine', 'size'] as const) {
    if (before.jobs[key] !== after.jobs[key]) keys.push(`jobs.${key}`)
  }
  return keys.map((key) => `${key}: takes effect after a restart`)
}
