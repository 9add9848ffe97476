/**
 * What a site file in TypeScript imports, `import { site } from 'portico'`; and what an application imports
 * for its jobs, `import { enqueue, job } from 'portico'`. All that workers share is in `portico/shared`.
 */
import type { SiteFile } from './site/settings.ts'

export {
  type CurrentJob,
  cancel,
  Dead,
  type EnqueueOptions,
  enqueue,
  Failed,
  type Job,
  type JobFacts,
  type JobFunction,
  type JobOptions,
  type JobSettings,
  job,
  jobFacts,
  Pending,
  Retry,
  result,
  Unknown,
} from './shared/jobs.ts'
export type {
  Address,
  AppPlan,
  HandlerPlan,
  HostPlan,
  ListenerPlan,
  PoolPlan,
  RoutePlan,
  SitePlan,
} from './site/plan.ts'
export type { SiteFile } from './site/settings.ts'

/**
 * The site, as it is: what is gained is that the editor knows every key.
 *
 *     export default site({ routes: { '/': { files: './public' } } })
 */
export function site(settings: SiteFile): SiteFile {
  return settings
}
