/** What a site file in TypeScript imports: `import { site } from 'portico'`. */
import type { SiteFile } from './site/settings.ts'

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
