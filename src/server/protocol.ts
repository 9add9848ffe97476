/**
 * What the supervisor and the server process tell each other, over the server's IPC channel.
 * Plain data only.
 */

import type { Proof, ProofQuestion } from '../acme/proofs.ts'
import type { Order } from '../balance/cells.ts'
import type { HealthBefore, HealthReport, PoolStatuses } from '../balance/health-report.ts'
import type { PoolCounts } from '../balance/pool-counts.ts'
import type { AllBelongings } from '../persistence/hand-over.ts'
import type { AppNumbers, SlotNumbers } from '../request/app-counts.ts'
import type { HandshakeNumbers, Http2Numbers, RouteNumbers } from '../request/counters.ts'
import type { Address, SitePlan } from '../site/plan.ts'
import type { StreamDetails } from '../stream/details.ts'
import type { TlsSecrets } from '../tls/secrets.ts'
import type { PoolFiles } from '../transports/backend/tls.ts'

/** How an application's workers are doing, as the server threads need to know it. */
export type AppState =
  /** The warm parent is importing. Requests wait in the queue. */
  | { readonly state: 'starting' }
  /** Workers connect by themselves; requests wait in the queue while none has. */
  | { readonly state: 'running' /** Of what runs in a container. */; readonly address?: Address }
  /** There is no process: the next request starts one, and waits for it. */
  | { readonly state: 'asleep' }
  /** The import failed; `detail` is the traceback or the reason. Requests get 500. */
  | { readonly state: 'broken'; readonly detail: string }

/** An application with quarters of its own: how the server meets its processes. */
export interface QuartersInServer {
  /** Listening sockets for its workers, one for each thread, as inherited descriptors. */
  readonly links: readonly number[]
  /** Its folder, where workers listen themselves. */
  readonly meet: string
  /** For request bodies that it is to read. */
  readonly spool: string
  /** Whom it runs as. */
  readonly uid: number
}

/** What was seen of an application since it was last told. */
export interface AppLoad {
  /** Workers that are linked, and those of them that have something in hand. */
  readonly workers: number
  readonly busy: number
  readonly waiting: number
  /** Requests that workers have finished, and what these took together, ms. */
  readonly served: number
  readonly workMs: number
  /** What those that left the queue had waited, on average, or those in it are likely to; ms. */
  readonly delayMs: number
  /** Requests that a worker takes at a time. */
  readonly capacity: number
  /** Since the last time, ms. */
  readonly sinceMs: number
}

/** What concerns the number of an application's workers. */
export type AppNews =
  /** A worker is linked to every thread. */
  | {
      readonly type: 'joined'
      readonly app: string
      readonly slot: number
      readonly pid: number
    }
  /** A worker has served its number of requests, or none for long; `how`: that number or time. */
  | {
      readonly type: 'spent'
      readonly app: string
      readonly slot: number
      readonly pid: number
      readonly reason: 'requests' | 'idle'
      readonly how: string
    }
  /** Several times a second where the number of workers varies. */
  | { readonly type: 'load'; readonly app: string; readonly load: AppLoad }
  /** A request waits, and there is no worker. */
  | { readonly type: 'wanted'; readonly app: string }

export type ToServer =
  | {
      readonly type: 'start'
      readonly plan: SitePlan
      readonly generation: number
      /** Inherited descriptors by listener, each there once: of T threads, thread i accepts from i, i+T, … */
      readonly sockets: readonly (readonly number[])[]
      /** By application, for those that have any. */
      readonly quarters: Readonly<Record<string, QuartersInServer>>
      /** Of tables of whose visitors are: the same for all generations. */
      readonly belongingsKey: string
      /** By pool, for those that have any. */
      readonly poolFiles: Readonly<Record<string, PoolFiles>>
      /** Of servers of pools, as far as it is known. */
      readonly health: HealthBefore
      /** Certificates and keys. */
      readonly tls: TlsSecrets
      /** Private folder; thread i listens for workers at `linkDir/link-<i>.sock`. */
      readonly linkDir: string
      /** What is closed for maintenance: see supervisor/closed.ts. */
      readonly closed: readonly string[]
    }
  | { readonly type: 'app'; readonly app: string; readonly status: AppState }
  /** Whether a server of a pool is to be asked; of several by that name, all. */
  | {
      readonly type: 'order'
      readonly ask: number
      readonly pool: string
      readonly server: string
      readonly order: Order
    }
  /** Certificates and keys for connections to come. */
  | { readonly type: 'certificates'; readonly tls: TlsSecrets }
  /** The site is being stopped: health checks are to say so. */
  | { readonly type: 'leave' }
  /** No request goes to this worker any more; it ends after what it has in hand. */
  | {
      readonly type: 'dismiss'
      readonly ask: number
      readonly app: string
      readonly slot: number
      readonly pid: number
    }
  /** Accept no more, finish what is in hand within the bound, then report `drained`. */
  | { readonly type: 'drain'; readonly timeoutMs: number }
  /** After `drained`: tell the workers to end, and exit. */
  | { readonly type: 'end' }
  /** Open the access log anew (rotation). */
  | { readonly type: 'reopen-logs' }
  /** `detailed`: with `ServerStatus.numbers`. */
  | { readonly type: 'status'; readonly ask: number; readonly detailed: boolean }
  /** Whose are the visitors? */
  | { readonly type: 'tell-belongings'; readonly ask: number }
  /** What the generation before has told. */
  | { readonly type: 'take-belongings'; readonly told: AllBelongings }
  /** Which requests are in hand? At most `most`, the oldest. */
  | { readonly type: 'requests'; readonly ask: number; readonly most: number }
  /** What is closed for maintenance from now on. */
  | { readonly type: 'closed'; readonly closed: readonly string[] }
  /** The answer to `metrics`. */
  | { readonly type: 'metrics'; readonly text: string }
  /** The answer to `proof`. */
  | {
      readonly type: 'proof'
      readonly thread: number
      readonly ask: number
      readonly proof: Proof
    }

export type FromServer =
  /** Every thread listens for workers and visitors. */
  | { readonly type: 'ready' }
  /** The server cannot start; the reason, with its remedy. */
  | { readonly type: 'failed'; readonly message: string }
  /** A worker exceeded its deadline: log its stack, then kill and replace it. */
  | {
      readonly type: 'stuck'
      readonly app: string
      readonly slot: number
      readonly pid: number
      readonly request: string
      /** The same request as the service that runs it calls it, where there is one. */
      readonly alias?: string
      /** Of the request, where requests have one. */
      readonly id?: string
      readonly elapsedMs: number
    }
  /** A request runs longer than its soft deadline: log where its worker stands. It goes on. */
  | {
      readonly type: 'slow'
      readonly app: string
      /** -1 where no worker of ours has it. */
      readonly slot: number
      readonly pid: number
      readonly request: string
      readonly alias?: string
      readonly id?: string
      readonly elapsedMs: number
      /** Others that are slow, of which nothing was said. */
      readonly untold: number
    }
  | AppNews
  /** After `dismiss`, from every thread. */
  | { readonly type: 'dismissed'; readonly ask: number }
  /** An application that runs in the server's threads did not load; before `ready`. */
  | { readonly type: 'broken'; readonly app: string; readonly detail: string }
  | { readonly type: 'status'; readonly ask: number; readonly status: ServerStatus }
  | { readonly type: 'requests'; readonly ask: number; readonly requests: RequestsInHand }
  | { readonly type: 'belongings'; readonly ask: number; readonly told: AllBelongings }
  /** After `order`: every thread knows. */
  | { readonly type: 'ordered'; readonly ask: number }
  /** A server of a pool has come up, gone down or changed its weight. */
  | ({ readonly type: 'health' } & HealthReport)
  /** A visitor asks for the metrics of the whole site. */
  | { readonly type: 'metrics' }
  /** A CA comes for what it was told to look for. */
  | ({ readonly type: 'proof'; readonly thread: number } & ProofQuestion)
  /** After `drain`: no visitor is accepted any more. */
  | { readonly type: 'draining' }
  /** After `drain`: all is answered, or the time for it is over. */
  | { readonly type: 'drained' }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }

/** Facts of one server process, summed over its threads. Counters only ever grow. */
export interface ServerStatus {
  readonly threads: number
  readonly connections: { readonly open: number; readonly accepted: number }
  readonly requests: { readonly total: number; readonly active: number }
  /** By class: `1xx` … `5xx`. */
  readonly answers: Readonly<Record<string, number>>
  readonly bytes: { readonly received: number; readonly sent: number }
  /** Absent where no listener has TLS. */
  readonly tls?: HandshakeNumbers
  /** Absent where nobody has spoken HTTP/2. */
  readonly http2?: Http2Numbers
  readonly apps: Readonly<
    Record<
      string,
      { requests: number; errors: number; waiting: number; busy: number; workers: number }
    >
  >
  readonly pools: PoolStatuses
  /** Of pools that retry, leave out, hedge or queue; absent: there are none. */
  readonly poolCounts?: Readonly<Record<string, PoolCounts>>
  /** Only where they were asked for. */
  readonly numbers?: ServerNumbers
  readonly memory: { readonly rss: number }
  readonly uptimeMs: number
}

/** What a server process has counted of each application, each place for a worker, and each route. */
export interface ServerNumbers {
  readonly apps: Readonly<Record<string, AppDetails>>
  readonly routes: readonly RouteDetails[]
  /** Of listeners without HTTP; absent: there are none. */
  readonly streams?: readonly StreamDetails[]
}

export interface AppDetails extends AppNumbers {
  /** Bytes of answers' bodies. */
  readonly sent: number
  readonly slots: readonly SlotNumbers[]
}

export interface RouteDetails extends RouteNumbers {
  /** Both '' for what no route has matched. */
  readonly host: string
  /** As in the site file: a regular expression begins with `~`. */
  readonly path: string
  /** The application that answers; '' for none. */
  readonly app: string
}

/** A request that is being answered. */
export interface RequestInHand {
  readonly method: string
  /** As it came, with its query: whoever tells others decides about that. */
  readonly target: string
  readonly host: string
  /** The route's host and path, both '' where it has none yet. */
  readonly route: { readonly host: string; readonly path: string }
  readonly app: string
  /** The worker that has it; 0 where none has, or it cannot be told. */
  readonly pid: number
  /** That worker's place; -1 for none. */
  readonly slot: number
  readonly ageMs: number
  readonly peer: string
  /** Of the answer's body so far. */
  readonly sent: number
  /** Of the answer; 0 before it has begun. */
  readonly status: number
}

export interface RequestsInHand {
  /** Of all that are in hand, those that are listed included. */
  readonly total: number
  /** The oldest first. */
  readonly requests: readonly RequestInHand[]
}
