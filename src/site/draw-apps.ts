/** `apps:` → the Plan's applications. */
import { drawContainer } from './draw-app/container.ts'
import { drawNode } from './draw-app/node.ts'
import { drawPhp } from './draw-app/php.ts'
import { drawPython } from './draw-app/python.ts'
import { drawScript } from './draw-app/script.ts'
import type { Drawing } from './drawing.ts'
import type { AppPlan } from './plan.ts'
import { type KeyPath, quote } from './problem.ts'
import type { AppSettings } from './settings/apps.ts'

export function drawApps(drawing: Drawing, used: ReadonlySet<string>): Record<string, AppPlan> {
  const plans: [string, AppPlan][] = []
  for (const [name, settings] of Object.entries(drawing.settings.apps)) {
    const path = ['apps', name]
    if (!used.has(name)) {
      drawing.report.warning(path, `no route leads to the application ${quote(name)}`, {
        key: true,
      })
    }
    plans.push([name, drawApp(drawing, path, name, settings)])
  }
  return Object.fromEntries(plans)
}

function drawApp(drawing: Drawing, path: KeyPath, name: string, settings: AppSettings): AppPlan {
  if ('python' in settings) return drawPython(drawing, path, name, settings)
  if ('php' in settings) return drawPhp(drawing, path, name, settings)
  if ('container' in settings) return drawContainer(drawing, path, name, settings)
  if ('node' in settings) return drawNode(drawing, path, name, settings)
  return drawScript(drawing, path, name, settings)
}
