/** Where the service that runs an application listens for the server's threads. */
import { join } from 'node:path'
import type { SitePlan } from '../site/plan.ts'

/** `linkDir`: the private folder of the generation. */
export function serviceSocket(linkDir: string, plan: SitePlan, app: string): string {
  return join(linkDir, `app-${Object.keys(plan.apps).indexOf(app)}.sock`)
}
