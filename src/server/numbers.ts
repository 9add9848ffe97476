/** What the threads have counted in shared memory, with its names. */
import { AppCounts } from '../request/app-counts.ts'
import { Counters } from '../request/counters.ts'
import { routesOf } from '../request/route.ts'
import type { RouteMatch, SitePlan } from '../site/plan.ts'
import { addTimes } from '../stats/histograms.ts'
import type { AppMemory } from './messages.ts'
import type { AppDetails, RouteDetails, ServerNumbers } from './protocol.ts'

/** What a route is called, by its number; number 0: no route has matched. */
export interface RouteName {
  readonly host: string
  readonly path: string
  readonly app: string
}

export function routeNames(plan: SitePlan): readonly RouteName[] {
  const names = routesOf(plan.hosts).map(({ host, plan: { match, handler } }) => ({
    host,
    path: pathOf(match),
    app: handler.kind === 'app' ? handler.app : '',
  }))
  return [{ host: '', path: '', app: '' }, ...names]
}

/** As in the site file. */
function pathOf({ kind, path }: RouteMatch): string {
  return kind === 'regex' ? `~${path}` : path
}

export function readNumbers(
  plan: SitePlan,
  names: readonly RouteName[],
  counters: SharedArrayBuffer,
  apps: Readonly<Record<string, AppMemory>>,
): ServerNumbers {
  const numbers = Counters.readRoutes(counters, names.length - 1)
  const routes = numbers.map((one, number): RouteDetails => ({ ...one, ...names[number]! }))
  const details = Object.entries(apps).map(([name, memory]): [string, AppDetails] => {
    const app = plan.apps[name]
    const inThreads = app?.kind === 'node' && app.run === 'threads'
    const own = routes.filter((route) => route.app === name)
    const counts = AppCounts.read(memory.counts, memory.slots)
    return [
      name,
      {
        ...counts,
        // One that runs in the threads has no queue: what its routes take is what it takes.
        served: inThreads
          ? own.map(({ took }) => took).reduce(addTimes, counts.served)
          : counts.served,
        sent: own.reduce((sum, { sent }) => sum + sent, 0),
        slots: inThreads ? [] : AppCounts.readSlots(memory.counts, memory.slots),
      },
    ]
  })
  return { apps: Object.fromEntries(details), routes }
}
