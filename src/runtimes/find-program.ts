/** Where on the machine a program is. */
import { delimiter, join, resolve } from 'node:path'
import type { CommonAppPlan } from '../site/plan.ts'
import { isExecutable } from '../system/tools.ts'

/** A path, relative to the application's folder, or a name in its PATH; '' when there is none. */
export function findProgram(name: string, app: Pick<CommonAppPlan, 'dir' | 'env'>): string {
  if (name.includes('/')) {
    const file = resolve(app.dir, name)
    return isExecutable(file) ? file : ''
  }
  for (const folder of (app.env.PATH ?? process.env.PATH ?? '').split(delimiter)) {
    const file = join(folder === '' ? '.' : folder, name)
    if (isExecutable(file)) return resolve(file)
  }
  return ''
}
