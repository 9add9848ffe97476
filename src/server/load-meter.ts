/**
 * Tells the supervisor, from what the threads count, which workers have served enough, and how busy
 * applications are whose number of workers varies.
 */
import { AppCounts, type AppNumbers, type SlotNumbers } from '../request/app-counts.ts'
import { TICK_MS } from '../request/clock.ts'
import type { Histogram } from '../request/histogram.ts'
import type { AppPlan, RecyclePlan } from '../site/plan.ts'
import { showDuration } from '../site/units.ts'
import type { Joined } from './joined.ts'
import type { AppMemory } from './messages.ts'
import type { AppLoad, AppNews } from './protocol.ts'

/** How often workers' counts are looked at, ms. */
const COUNTS_MS = 100
/** Load is told as often as the threads note it. */
const LOAD_MS = TICK_MS

/** What one slot had done when it was looked at last. */
interface Seen {
  pid: number
  requests: number
  /** On `performance.now()`: when it was last seen at work. */
  at: number
  /** It was told that this worker has served enough. */
  told: boolean
}

interface Meter {
  readonly app: AppPlan
  readonly memory: AppMemory
  readonly slots: Seen[]
  before: AppNumbers | null
  at: number
  capacity: number
}

export class LoadMeter {
  readonly #meters: ReadonlyMap<string, Meter>
  readonly #joined: Joined
  readonly #tell: (news: AppNews) => void

  constructor(
    apps: readonly AppPlan[],
    memory: Readonly<Record<string, AppMemory>>,
    joined: Joined,
    tell: (news: AppNews) => void,
  ) {
    this.#joined = joined
    this.#tell = tell
    const meters = apps.map((app): [string, Meter] => {
      const own = memory[app.name]!
      const slots = Array.from({ length: own.slots }, () => ({
        pid: 0,
        requests: 0,
        at: 0,
        told: false,
      }))
      return [app.name, { app, memory: own, slots, before: null, at: 0, capacity: 1 }]
    })
    this.#meters = new Map(meters.filter(([, { app }]) => app.kind !== 'php'))
    const counted = [...this.#meters.values()].filter(({ app: { recycle } }) =>
      recycle === undefined ? false : recycle.requests + recycle.idleMs > 0,
    )
    const varying = [...this.#meters.values()].filter(({ app }) => app.scale !== undefined)
    every(COUNTS_MS, counted, (one) => this.#count(one))
    every(LOAD_MS, varying, (one) => this.#load(one))
  }

  /** Requests that workers of `app` take at a time. */
  capacity(app: string, capacity: number): void {
    const meter = this.#meters.get(app)
    if (meter !== undefined) meter.capacity = capacity
  }

  #count({ app, memory, slots }: Meter): void {
    const now = performance.now()
    for (const numbers of AppCounts.readSlots(memory.counts, memory.slots)) {
      const seen = slots[numbers.slot]!
      const pid = this.#joined.pid(app.name, numbers.slot)
      if (seen.pid !== pid) Object.assign(seen, { pid, told: false, at: now })
      if (seen.requests !== numbers.requests || numbers.inHand > 0) seen.at = now
      seen.requests = numbers.requests
      if (pid === 0 || seen.told) continue
      const due = spent(app.recycle!, numbers, pid, now - seen.at)
      if (due === null) continue
      seen.told = true
      this.#tell({ type: 'spent', app: app.name, slot: numbers.slot, pid, ...due })
    }
  }

  #load(meter: Meter): void {
    const { app, memory, before, capacity } = meter
    const now = performance.now()
    const numbers = AppCounts.read(memory.counts, memory.slots)
    const slots = AppCounts.readSlots(memory.counts, memory.slots)
    const sinceMs = now - meter.at
    meter.before = numbers
    meter.at = now
    if (before === null) return
    const load = loadOf(before, numbers, slots, capacity, sinceMs)
    const silent = load.workers === 0 && load.waiting === 0 && load.served === 0
    if (!silent) this.#tell({ type: 'load', app: app.name, load })
  }
}

/** Whether a worker has served enough, or nobody for long. */
export function spent(
  { requests, idleMs, jitter }: RecyclePlan,
  { own }: Pick<SlotNumbers, 'own'>,
  pid: number,
  restedMs: number,
): { reason: 'requests' | 'idle'; how: string } | null {
  const more = 1 + jitter * luckOf(pid)
  if (requests > 0 && own >= Math.ceil(requests * more)) {
    return { reason: 'requests', how: String(own) }
  }
  // One that has done nothing yet is as good as its successor would be.
  if (idleMs > 0 && own > 0 && restedMs >= idleMs * more) {
    return { reason: 'idle', how: showDuration(Math.round(restedMs / 1000) * 1000) }
  }
  return null
}

/** From 0 to 1: the same for a process each time, and unlike that of the one forked next. */
function luckOf(pid: number): number {
  return (Math.imul(pid, 0x9e37_79b1) >>> 0) / 0x1_0000_0000
}

export function loadOf(
  before: AppNumbers,
  now: AppNumbers,
  slots: readonly SlotNumbers[],
  capacity: number,
  sinceMs: number,
): AppLoad {
  const { workers, waiting } = now
  const served = countOf(now.served) - countOf(before.served)
  const workMs = now.served.sumMs - before.served.sumMs
  const left = countOf(now.waited) - countOf(before.waited)
  const waited = left === 0 ? 0 : (now.waited.sumMs - before.waited.sumMs) / left
  // The last in the queue waits until all before it are done.
  const each = served === 0 ? sinceMs : workMs / served
  const ahead = waiting === 0 ? 0 : (waiting * each) / Math.max(1, workers * capacity)
  return {
    workers,
    busy: slots.filter(({ inHand }) => inHand > 0).length,
    waiting,
    served,
    workMs,
    delayMs: Math.max(waited, ahead),
    capacity,
    sinceMs,
  }
}

function countOf({ counts }: Histogram): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

function every(ms: number, meters: readonly Meter[], look: (meter: Meter) => void): void {
  if (meters.length === 0) return
  setInterval(() => {
    for (const meter of meters) look(meter)
  }, ms).unref()
}
