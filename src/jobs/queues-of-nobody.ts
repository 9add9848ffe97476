/** Jobs that would wait for ever, because nothing that this machine runs does those of their queue. */
import type { SitePlan } from '../site/plan.ts'

/** More queues are not named. */
const MOST = 20

/**
 * What to warn of when `app` has loaded; `told` is what its code declares. Where brokers keep the jobs, other
 * machines may do them.
 */
export function queuesOfNobody(
  plan: Pick<SitePlan, 'apps' | 'jobs'>,
  app: string,
  told: unknown,
): string[] {
  if (plan.jobs.engine !== 'local') return []
  const done = new Set(doneIn(plan))
  const names = new Map<string, string>()
  for (const { name, queue } of jobsIn(told)) {
    if (!done.has(queue) && !names.has(queue) && names.size < MOST) names.set(queue, name)
  }
  const hasWorkers = plan.apps[app]?.jobs !== undefined
  return [...names].map(([queue, name]) => {
    const remedy = hasWorkers
      ? `name it in apps.${app}.jobs.queues`
      : `give the application \`jobs: { queues: [${queue}] }\` in a site file`
    return `nobody does the jobs of queue ${queue}, such as ${name}: they wait; ${remedy}`
  })
}

function doneIn({ apps, jobs }: Pick<SitePlan, 'apps' | 'jobs'>): string[] {
  const byApps = Object.values(apps).flatMap((app) =>
    app.jobs !== undefined && app.jobs.workers > 0 ? app.jobs.queues : [],
  )
  const byPrograms = Object.entries(jobs.queues).filter(([, { run }]) => run.length > 0)
  return [...byApps, ...byPrograms.map(([name]) => name)]
}

function jobsIn(told: unknown): { name: string; queue: string }[] {
  const { jobs } = (told ?? {}) as { jobs?: unknown }
  if (!Array.isArray(jobs)) return []
  return jobs.filter(
    (job: Partial<Record<string, unknown>> | null) =>
      typeof job?.name === 'string' && typeof job.queue === 'string',
  )
}
