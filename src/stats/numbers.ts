/** Sums of what several server processes have counted, living and ended. */
import type { SlotNumbers } from '../request/app-counts.ts'
import type { AppDetails, RouteDetails, ServerNumbers } from '../server/protocol.ts'
import { addStreams, endedStreams } from '../stream/details.ts'
import { addTimes } from './histograms.ts'

export const noNumbers: ServerNumbers = { apps: {}, routes: [] }

export function addNumbers(one: ServerNumbers, other: ServerNumbers): ServerNumbers {
  const apps: Record<string, AppDetails> = { ...one.apps }
  for (const [name, app] of Object.entries(other.apps)) {
    const known = apps[name]
    apps[name] = known === undefined ? app : addApps(known, app)
  }
  const routes = new Map(one.routes.map((route) => [keyOf(route), route]))
  for (const route of other.routes) {
    const known = routes.get(keyOf(route))
    routes.set(keyOf(route), known === undefined ? route : addRoutes(known, route))
  }
  const streams = addStreams(one.streams ?? [], other.streams ?? [])
  return { apps, routes: [...routes.values()], streams }
}

/** What remains when a process is gone: what it counted, not what it held. */
export function endedNumbers({ apps, routes, streams = [] }: ServerNumbers): ServerNumbers {
  const over = Object.entries(apps).map(([name, app]): [string, AppDetails] => [
    name,
    {
      ...app,
      waiting: 0,
      busy: 0,
      workers: 0,
      slots: app.slots.map((slot) => ({ ...slot, inHand: 0 })),
    },
  ])
  return {
    apps: Object.fromEntries(over),
    routes: routes.map((route) => ({ ...route, active: 0 })),
    streams: endedStreams(streams),
  }
}

/** Places for workers are a generation's own: of another one's they say nothing. */
export function withoutSlots({ apps, ...others }: ServerNumbers): ServerNumbers {
  const bare = Object.entries(apps).map(([name, app]) => [name, { ...app, slots: [] }] as const)
  return { apps: Object.fromEntries(bare), ...others }
}

/** Those that are still in the site: what is gone for good would be kept for ever. */
export function known(numbers: ServerNumbers, site: ServerNumbers): ServerNumbers {
  const routes = new Set(site.routes.map(keyOf))
  const listeners = new Set(site.streams?.map(({ listener }) => listener))
  return {
    apps: Object.fromEntries(Object.entries(numbers.apps).filter(([name]) => name in site.apps)),
    routes: numbers.routes.filter((route) => routes.has(keyOf(route))),
    streams: numbers.streams?.filter(({ listener }) => listeners.has(listener)) ?? [],
  }
}

function keyOf({ host, path }: RouteDetails): string {
  return `${host} ${path}`
}

function addApps(one: AppDetails, other: AppDetails): AppDetails {
  return {
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    waiting: one.waiting + other.waiting,
    busy: one.busy + other.busy,
    workers: one.workers + other.workers,
    sent: one.sent + other.sent,
    served: addTimes(one.served, other.served),
    waited: addTimes(one.waited, other.waited),
    slots: addSlots(one.slots, other.slots),
  }
}

function addRoutes(one: RouteDetails, other: RouteDetails): RouteDetails {
  return {
    ...other,
    requests: one.requests + other.requests,
    active: one.active + other.active,
    errors: one.errors + other.errors,
    sent: one.sent + other.sent,
    took: addTimes(one.took, other.took),
  }
}

function addSlots(one: readonly SlotNumbers[], other: readonly SlotNumbers[]): SlotNumbers[] {
  const slots = new Map(one.map((slot) => [slot.slot, slot]))
  for (const slot of other) {
    const before = slots.get(slot.slot)
    if (before === undefined) slots.set(slot.slot, slot)
    else {
      slots.set(slot.slot, {
        slot: slot.slot,
        requests: before.requests + slot.requests,
        own: before.own + slot.own,
        errors: before.errors + slot.errors,
        runMs: before.runMs + slot.runMs,
        sent: before.sent + slot.sent,
        inHand: before.inHand + slot.inHand,
      })
    }
  }
  return [...slots.values()]
}
