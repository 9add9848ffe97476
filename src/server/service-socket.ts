/** Where the service that runs an application listens for the server's threads. */
import { dirname, join } from 'node:path'
import type { SitePlan } from '../site/plan.ts'
import type { QuartersInServer } from './protocol.ts'

/** `linkDir`: the private folder of the generation; `quarters`: the application's own, if it has any. */
export function serviceSocket(
  linkDir: string,
  plan: SitePlan,
  app: string,
  quarters: QuartersInServer | null,
): string {
  if (quarters !== null) return join(dirname(quarters.meet), 'app.sock')
  return join(linkDir, `app-${Object.keys(plan.apps).indexOf(app)}.sock`)
}
