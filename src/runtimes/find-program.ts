/** Where on the machine a program is. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import type { CommonAppPlan } from '../site/plan.ts'

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

/** Whether it is a file that we may run. */
export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
