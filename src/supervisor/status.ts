/** What `portico status` and /metrics tell, put together from all living generations. */

import type { CertificateStatus } from '../acme/status.ts'
import type { BackgroundStatus } from '../background/background.ts'
import type { PoolStatuses } from '../balance/health-report.ts'
import type { PoolCounts } from '../balance/pool-counts.ts'
import type { CommonsStatus } from '../commons/protocol.ts'
import type { SlotNumbers } from '../request/app-counts.ts'
import type { Histogram } from '../request/histogram.ts'
import type {
  AppDetails,
  RequestInHand,
  RouteDetails,
  ServerNumbers,
  ServerStatus,
} from '../server/protocol.ts'
import type { AppPlan, SitePlan } from '../site/plan.ts'
import { noTimes } from '../stats/histograms.ts'
import type { StreamDetails } from '../stream/details.ts'
import { type ProcessFacts, processFacts } from '../system/process-facts.ts'
import type { ServedCertificate } from '../tls/keeper.ts'
import type { AppFacts } from './app-process.ts'
import type { Closed } from './closed.ts'
import type { GenerationStatus } from './generation.ts'
import { addSums, type RestartSums } from './restarts.ts'
import type { WorkerFacts } from './worker-slot.ts'

export type Phase = 'starting' | 'ready' | 'reloading' | 'stopping'

/** What is to be reloaded where that is not the whole site. */
export interface OneApp {
  readonly app: string
  /** One worker at a time; undefined: as its settings say. */
  readonly rolling?: boolean | undefined
}

export interface ReloadResult {
  readonly ok: boolean
  /** Why not; '' when all went well. */
  readonly message: string
  readonly generation: number
  /** The one that was to be reloaded; absent for the whole site. */
  readonly app?: string
}

/** A worker, with what the server has counted of its place since this generation began. */
export interface WorkerStatus extends WorkerFacts, Omit<SlotNumbers, 'slot'>, ProcessFacts {}

/** Counts are those of all generations, living and ended; so are restarts. */
export interface AppStatus extends Omit<AppFacts, 'workers'> {
  /** Only of workers of our own it is known which of them had a request. */
  readonly runs: 'workers' | 'service' | 'threads'
  /** For workers; a slot's number is below it. */
  readonly places: number
  readonly workers: readonly WorkerStatus[]
  readonly requests: number
  readonly errors: number
  readonly waiting: number
  readonly busy: number
  /** Bytes of answers' bodies. */
  readonly sent: number
  /** In a worker's hands. */
  readonly served: Histogram
  /** In the queue, only of those that had to wait. */
  readonly waited: Histogram
  /** Workers with a link to the server. */
  readonly connected: number
}

export interface SiteStatus {
  readonly version: string
  readonly pid: number
  readonly phase: Phase
  readonly site: string
  readonly urls: readonly string[]
  /** Where what applications share is found. */
  readonly commonsSocket: string
  readonly generation: number
  readonly uptimeMs: number
  readonly reloads: { readonly succeeded: number; readonly failed: number }
  /** What `portico maintenance` has closed: names of hosts, '' for all. Absent: nothing. */
  readonly closed?: Closed
  readonly lastReload: (ReloadResult & { readonly at: string }) | null
  readonly server: { readonly pid: number; readonly restarts: number; readonly threads: number }
  /** Generations that still finish what they have in hand. */
  readonly draining: readonly number[]
  readonly totals: Totals
  /** Tasks, daemons and mules. */
  readonly background: BackgroundStatus
  /** Automatic certificates. */
  readonly automatic: readonly CertificateStatus[]
  /** What is served over TLS, the automatic ones among them; absent: there is no TLS. */
  readonly certificates?: readonly ServedCertificate[]
  /** What applications share; null while nobody has asked for it. */
  readonly commons: CommonsStatus | null
  readonly apps: Readonly<Record<string, AppStatus>>
  /** Of the current generation. */
  readonly pools: PoolStatuses
  /** Of the current generation’s server process: pools that retry, leave out, hedge or queue. */
  readonly poolCounts?: Readonly<Record<string, PoolCounts>>
  /** First what no route has matched. */
  readonly routes: readonly RouteDetails[]
  /** Listeners without HTTP. */
  readonly streams?: readonly StreamDetails[]
  /** Upper bounds of the histograms' buckets, ms. */
  readonly boundsMs: readonly number[]
}

/** What `GET /requests` tells. */
export interface RequestsStatus {
  /** Of all that are in hand, those that are listed included. */
  readonly total: number
  /** The oldest first. */
  readonly requests: readonly (RequestInHand & { readonly generation: number })[]
}

/** Counters of all generations together, the ended ones included. */
export type Totals = Pick<
  ServerStatus,
  'connections' | 'requests' | 'answers' | 'bytes' | 'memory' | 'tls' | 'http2'
>

export const noTotals: Totals = {
  connections: { open: 0, accepted: 0 },
  requests: { total: 0, active: 0 },
  answers: {},
  bytes: { received: 0, sent: 0 },
  memory: { rss: 0 },
}

export function addTotals(one: Totals, other: Totals): Totals {
  const classes = new Set([...Object.keys(one.answers), ...Object.keys(other.answers)])
  const answers = [...classes].map((name) => [
    name,
    (one.answers[name] ?? 0) + (other.answers[name] ?? 0),
  ])
  return {
    connections: {
      open: one.connections.open + other.connections.open,
      accepted: one.connections.accepted + other.connections.accepted,
    },
    requests: {
      total: one.requests.total + other.requests.total,
      active: one.requests.active + other.requests.active,
    },
    answers: Object.fromEntries(answers),
    bytes: {
      received: one.bytes.received + other.bytes.received,
      sent: one.bytes.sent + other.bytes.sent,
    },
    memory: { rss: one.memory.rss + other.memory.rss },
    ...addHandshakes(one.tls, other.tls),
    ...addHttp2(one.http2, other.http2),
  }
}

function addHandshakes(one: Totals['tls'], other: Totals['tls']): Pick<Totals, 'tls'> {
  if (one === undefined || other === undefined) {
    const known = one ?? other
    return known === undefined ? {} : { tls: known }
  }
  return {
    tls: {
      handshakes: one.handshakes + other.handshakes,
      resumed: one.resumed + other.resumed,
      failed: one.failed + other.failed,
    },
  }
}

function addHttp2(one: Totals['http2'], other: Totals['http2']): Pick<Totals, 'http2'> {
  if (one === undefined || other === undefined) {
    const known = one ?? other
    return known === undefined ? {} : { http2: known }
  }
  return {
    http2: {
      accepted: one.accepted + other.accepted,
      open: one.open + other.open,
      requests: one.requests + other.requests,
      refused: one.refused + other.refused,
      faults: one.faults + other.faults,
    },
  }
}

/** What remains of a generation when its process is gone: what it counted, not what it held. */
export function ended(totals: Totals): Totals {
  return {
    ...totals,
    connections: { open: 0, accepted: totals.connections.accepted },
    requests: { total: totals.requests.total, active: 0 },
    memory: { rss: 0 },
    ...(totals.http2 === undefined ? {} : { http2: { ...totals.http2, open: 0 } }),
  }
}

const noSlot: Omit<SlotNumbers, 'slot'> = {
  requests: 0,
  own: 0,
  errors: 0,
  runMs: 0,
  sent: 0,
  inHand: 0,
}

const noCounts: AppDetails = {
  requests: 0,
  errors: 0,
  waiting: 0,
  busy: 0,
  workers: 0,
  sent: 0,
  served: noTimes,
  waited: noTimes,
  slots: [],
}

/** `numbers`: of all generations; `restarts`: those of the generations beside `current`. */
export function appStatuses(
  current: GenerationStatus,
  numbers: ServerNumbers,
  restarts: (app: string) => RestartSums,
  plan: SitePlan,
): Record<string, AppStatus> {
  return Object.fromEntries(
    Object.entries(current.apps).map(([name, facts]): [string, AppStatus] => {
      const counts = numbers.apps[name] ?? noCounts
      const { requests, errors, waiting, busy, sent, served, waited } = counts
      const slots = new Map(current.numbers.apps[name]?.slots.map((slot) => [slot.slot, slot]))
      const workers = facts.workers.map((worker) => ({
        ...noSlot,
        ...slots.get(worker.slot),
        ...worker,
        ...processFacts(worker.pid),
      }))
      return [
        name,
        {
          ...facts,
          runs: runsAs(plan.apps[name]),
          places: Math.max(slots.size, ...workers.map(({ slot }) => slot + 1)),
          ...addSums(facts, restarts(name)),
          workers,
          requests,
          errors,
          waiting,
          busy,
          connected: current.server?.apps[name]?.workers ?? 0,
          sent,
          served,
          waited,
        },
      ]
    }),
  )
}

function runsAs(app: AppPlan | undefined): AppStatus['runs'] {
  if (app?.kind === 'php' || app?.kind === 'container') return 'service'
  return app?.kind === 'node' && app.run === 'threads' ? 'threads' : 'workers'
}
