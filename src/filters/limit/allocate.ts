/** The memory that limits need, made by the server's main thread for all others. */
import type { LimitPlan } from '../../site/filters-plan.ts'
import type { SitePlan } from '../../site/plan.ts'
import { SharedTable } from './table.ts'

/** Of what a limit counts over time, and of what it counts at a time. */
export function ratesOf({ table }: LimitPlan): string {
  return `${table} rate`
}

export function crowdsOf({ table }: LimitPlan): string {
  return `${table} concurrency`
}

/** Even if every connection is somebody else's, hardly a set of the table is full; untouched memory is none. */
const SPARE = 16
const MOST_CONNECTIONS = 65_536

/** Tables by name. */
export function allocateLimits({
  hosts,
  threads,
  limits,
}: Pick<SitePlan, 'hosts' | 'threads' | 'limits'>): Record<string, SharedArrayBuffer> {
  const tables: Record<string, SharedArrayBuffer> = {}
  const rules = hosts.flatMap(({ routes }) =>
    routes.flatMap(({ filters }) => filters?.limits ?? []),
  )
  for (const rule of rules) {
    const alone = rule.by.of === 'everyone'
    if (rule.intervalMs > 0) {
      tables[ratesOf(rule)] ??= SharedTable.allocate(alone ? 1 : rule.keys)
    }
    if (rule.concurrency > 0) {
      const most = Math.min(limits.connections * threads, MOST_CONNECTIONS)
      tables[crowdsOf(rule)] ??= SharedTable.allocate(alone ? 1 : SPARE * most)
    }
  }
  return tables
}
