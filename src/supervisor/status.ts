/** What `portico status` and /metrics tell, put together from all living generations. */
import type { ServerStatus } from '../server/protocol.ts'
import type { AppFacts } from './app-process.ts'
import type { GenerationStatus } from './generation.ts'

export type Phase = 'starting' | 'ready' | 'reloading' | 'stopping'

export interface ReloadResult {
  readonly ok: boolean
  /** Why not; '' when all went well. */
  readonly message: string
  readonly generation: number
}

export interface AppStatus extends AppFacts {
  readonly requests: number
  readonly errors: number
  readonly waiting: number
  readonly busy: number
  /** Workers with a link to the server. */
  readonly connected: number
}

export interface SiteStatus {
  readonly version: string
  readonly pid: number
  readonly phase: Phase
  readonly site: string
  readonly urls: readonly string[]
  readonly generation: number
  readonly uptimeMs: number
  readonly reloads: { readonly succeeded: number; readonly failed: number }
  readonly lastReload: (ReloadResult & { readonly at: string }) | null
  readonly server: { readonly pid: number; readonly restarts: number; readonly threads: number }
  /** Generations that still finish what they have in hand. */
  readonly draining: readonly number[]
  readonly totals: Totals
  readonly apps: Readonly<Record<string, AppStatus>>
}

/** Counters of all generations together, the ended ones included. */
export type Totals = Pick<ServerStatus, 'connections' | 'requests' | 'answers' | 'bytes' | 'memory'>

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
  }
}

/** What remains of a generation when its process is gone: what it counted, not what it held. */
export function ended(totals: Totals): Totals {
  return {
    ...totals,
    connections: { open: 0, accepted: totals.connections.accepted },
    requests: { total: totals.requests.total, active: 0 },
    memory: { rss: 0 },
  }
}

export function appStatuses(generation: GenerationStatus): Record<string, AppStatus> {
  return Object.fromEntries(
    Object.entries(generation.apps).map(([name, facts]) => {
      const seen = generation.server?.apps[name]
      const { requests = 0, errors = 0, waiting = 0, busy = 0, workers: connected = 0 } = seen ?? {}
      return [name, { ...facts, requests, errors, waiting, busy, connected }]
    }),
  )
}
