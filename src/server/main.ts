/**
 * The server process: T threads that share facts through shared memory. This main thread only talks
 * to the supervisor, and ends with it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { allocateLimits } from '../filters/limit/allocate.ts'
import type { AllBelongings } from '../persistence/hand-over.ts'
import { AppCounts } from '../request/app-counts.ts'
import { Counters } from '../request/counters.ts'
import type { SitePlan } from '../site/plan.ts'
import { StreamCounts } from '../stream/counts.ts'
import { readStreams } from '../stream/details.ts'
import { removeAbandoned } from '../system/abandoned.ts'
import { killSession } from '../system/session.ts'
import { Claims } from '../transports/worker-link/claims.ts'
import { RequestsAsker } from './ask-threads.ts'
import { Joined } from './joined.ts'
import { LoadMeter } from './load-meter.ts'
import type { AppMemory, FromThread, ThreadStart, ToThread } from './messages.ts'
import { type RouteName, readNumbers, routeNames } from './numbers.ts'
import type { ServerPools } from './pools.ts'
import type { FromServer, ServerStatus, ToServer } from './protocol.ts'
import { workerSlots } from './slots.ts'
import { ToldOnce } from './told-once.ts'

/** What the threads may take to write the last of their logs and to end. */
const LAST_WORDS_MS = 1_000

/** Bodies too large for memory lie in folders of this name. */
const SPOOL = 'portico-'

const NO_POOLS = { pools: {}, belongings: {}, tallies: new SharedArrayBuffer(0) }

const startedAt = performance.now()

type Start = Extract<ToServer, { type: 'start' }>

function tell(message: FromServer): void {
  if (process.connected) process.send!(message)
}

class Server {
  readonly #plan: SitePlan
  /** Of the routes, by number. */
  readonly #names: readonly RouteName[]
  readonly #asker: RequestsAsker
  readonly #threads: Worker[] = []
  readonly #counters: SharedArrayBuffer
  readonly #streams: SharedArrayBuffer
  readonly #apps: Record<string, AppMemory> = {}
  readonly #joined: Joined
  readonly #meter: LoadMeter
  /** Null: the site has none. */
  readonly #pools: ServerPools | null
  /** Threads that have not answered yet, by the number of the order. */
  readonly #dismissals = new Map<number, number>()
  readonly #spool: string
  #waiting: number
  readonly #found = new ToldOnce()
  #accepting: number
  #draining: number
  #drained = false
  #over = false

  constructor(start: Start, pools: ServerPools | null) {
    const { plan } = start
    const { threads } = plan
    this.#waiting = threads
    this.#accepting = threads
    this.#draining = threads
    this.#plan = plan
    this.#names = routeNames(plan)
    this.#asker = new RequestsAsker(threads, this.#names, (message) => this.send(message))
    this.#counters = Counters.allocate(threads, this.#names.length - 1)
    removeAbandoned(plan.spool, SPOOL)
    this.#spool = mkdtempSync(join(plan.spool, `${SPOOL}${process.pid}-`))
    for (const app of Object.values(plan.apps)) {
      const slots = workerSlots(app)
      this.#apps[app.name] = {
        slots,
        claims: Claims.allocate(slots, threads),
        counts: AppCounts.allocate(threads, slots),
      }
    }
    this.#joined = new Joined(threads, ({ app, slot, pid, capacity }) => {
      this.#meter.capacity(app, capacity)
      tell({ type: 'joined', app, slot, pid })
    })
    this.#meter = new LoadMeter(Object.values(plan.apps), this.#apps, this.#joined, tell)
    this.#pools = pools
    const limits = allocateLimits(plan)
    const streams = StreamCounts.allocate(plan.listeners.length, threads)
    this.#streams = streams
    for (let thread = 0; thread < threads; thread++) {
      const data: ThreadStart = {
        plan,
        thread,
        threads,
        sockets: start.sockets.flatMap((group, listener) => {
          const own = group.filter((_, i) => i % threads === thread)
          return own.map((fd) => ({ fd, listener: plan.listeners[listener]! }))
        }),
        linkPath: join(start.linkDir, `link-${thread}.sock`),
        counters: this.#counters,
        apps: this.#apps,
        ...(pools?.shared ?? NO_POOLS),
        poolFiles: start.poolFiles,
        streams,
        limits,
        tls: start.tls,
        spool: this.#spool,
        closed: start.closed,
        quarters: Object.fromEntries(
          Object.entries(start.quarters).map(([name, own]) => [
            name,
            { ...own, link: own.links[thread]! },
          ]),
        ),
      }
      const worker = new Worker(new URL('./thread.ts', import.meta.url), { workerData: data })
      worker.on('message', (message: FromThread) => this.#hear(message))
      worker.on('error', (error) =>
        this.#die(error instanceof Error ? (error.stack ?? error.message) : String(error)),
      )
      worker.on('exit', () => {
        if (!this.#over) this.#die('a server thread ended')
      })
      this.#threads.push(worker)
    }
  }

  send(message: ToThread): void {
    for (const thread of this.#threads) thread.postMessage(message)
  }

  drain(timeoutMs: number): void {
    this.#pools?.stop()
    this.send({ type: 'drain' })
    setTimeout(() => this.#finish(), timeoutMs)
  }

  status(ask: number, detailed: boolean): void {
    const totals = Counters.read(this.#counters, this.#names.length - 1)
    const apps: Record<string, ServerStatus['apps'][string]> = {}
    for (const [name, memory] of Object.entries(this.#apps)) {
      const { requests, errors, waiting, busy, workers } = AppCounts.read(
        memory.counts,
        memory.slots,
      )
      apps[name] = { requests, errors, waiting, busy, workers }
    }
    const numbers = detailed
      ? {
          numbers: {
            ...readNumbers(this.#plan, this.#names, this.#counters, this.#apps),
            streams: readStreams(this.#plan, this.#streams),
          },
        }
      : {}
    tell({
      type: 'status',
      ask,
      status: {
        threads: this.#threads.length,
        connections: { open: totals.open, accepted: totals.accepted },
        requests: { total: totals.requests, active: totals.active },
        answers: totals.answers,
        bytes: { received: totals.received, sent: totals.sent },
        ...(this.#plan.tls === undefined ? {} : { tls: totals.tls }),
        ...(totals.http2.accepted === 0 ? {} : { http2: totals.http2 }),
        apps,
        ...(this.#pools?.status ?? { pools: {} }),
        ...numbers,
        memory: { rss: process.memoryUsage.rss() },
        uptimeMs: Math.round(performance.now() - startedAt),
      },
    })
  }

  /** An administrator decides about a server of a pool. */
  order({ ask, pool, server, order }: Extract<ToServer, { type: 'order' }>): void {
    this.#pools?.order(pool, server, order)
    tell({ type: 'ordered', ask })
  }

  /** Every thread lets go of a worker; what it has in hand is finished. */
  dismiss(order: Extract<ToServer, { type: 'dismiss' }>): void {
    this.#dismissals.set(order.ask, this.#threads.length)
    this.send(order)
  }

  #dismissed(ask: number): void {
    const left = (this.#dismissals.get(ask) ?? 0) - 1
    if (left > 0) return void this.#dismissals.set(ask, left)
    this.#dismissals.delete(ask)
    tell({ type: 'dismissed', ask })
  }

  /** Which requests are in hand. */
  requests(ask: number, most: number): void {
    this.#asker.ask(most, (requests) => tell({ type: 'requests', ask, requests }))
  }

  /** Whose the visitors are. */
  tellBelongings(ask: number): void {
    tell({ type: 'belongings', ask, told: this.#pools?.tellBelongings() ?? {} })
  }

  takeBelongings(told: AllBelongings): void {
    this.#pools?.takeBelongings(told)
  }

  /** Removes what is only ours. */
  clean(): void {
    rmSync(this.#spool, { recursive: true, force: true })
  }

  #hear(message: FromThread): void {
    switch (message.type) {
      case 'ready':
        if (--this.#waiting === 0) tell({ type: 'ready' })
        return
      case 'draining':
        if (--this.#accepting === 0) tell({ type: 'draining' })
        return
      case 'drained':
        if (--this.#draining === 0) this.#finish()
        return
      case 'dismissed':
        return this.#dismissed(message.ask)
      case 'linked':
        return this.#joined.linked(message)
      case 'found':
        if (this.#found.isNews(message.message, performance.now())) {
          tell({ type: 'log', level: 'warn', message: message.message })
        }
        return
      case 'requests':
        return this.#asker.heard(message)
      case 'failed':
        // Said once; that such a thread ends then goes without saying.
        if (this.#waiting > 0) this.#over = true
        return tell(message)
      default:
        tell(message)
    }
  }

  /** The supervisor has to know first that workers are about to end. */
  #finish(): void {
    if (this.#drained) return
    this.#drained = true
    tell({ type: 'drained' })
  }

  end(): void {
    if (this.#over) return
    this.#over = true
    this.send({ type: 'close' })
    let left = this.#threads.length
    const ended = (): void => {
      if (--left === 0) process.exit(0)
    }
    for (const thread of this.#threads) thread.once('exit', ended)
    setTimeout(() => process.exit(0), LAST_WORDS_MS)
  }

  #die(reason: string): void {
    if (this.#over) return
    this.#over = true
    tell({ type: 'log', level: 'error', message: reason })
    setImmediate(() => process.exit(1))
  }
}

let server: Server | null = null

/** What is said while the server is being made; null: it is heard at once. */
let early: Exclude<ToServer, Start>[] | null = null

process.on('message', (message: ToServer) => {
  if (message.type === 'start') void begin(message)
  else if (early === null) hear(message)
  else early.push(message)
})

async function begin(start: Start): Promise<void> {
  const said: Exclude<ToServer, Start>[] = []
  early = said
  try {
    server = new Server(start, await poolsOf(start))
  } catch (error) {
    tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
  early = null
  for (const message of said) hear(message)
}

/** Loaded where there are any. */
async function poolsOf(start: Start): Promise<ServerPools | null> {
  if (Object.keys(start.plan.pools).length === 0) return null
  const { ServerPools } = await import('./pools.ts')
  return new ServerPools(start, {
    tell: (report) => tell({ type: 'health', ...report }),
    complain: (message) => tell({ type: 'log', level: 'error', message }),
  })
}

function hear(message: Exclude<ToServer, Start>): void {
  switch (message.type) {
    case 'app':
      return server?.send({ type: 'app', app: message.app, status: message.status })
    case 'order':
      return server?.order(message)
    case 'leave':
      return server?.send({ type: 'leave' })
    case 'dismiss':
      return server?.dismiss(message)
    case 'drain':
      return server?.drain(message.timeoutMs)
    case 'end':
      return server?.end()
    case 'reopen-logs':
      return server?.send({ type: 'reopen-logs' })
    case 'status':
      return server?.status(message.ask, message.detailed)
    case 'requests':
      return server?.requests(message.ask, message.most)
    case 'tell-belongings':
      return server?.tellBelongings(message.ask)
    case 'take-belongings':
      return server?.takeBelongings(message.told)
    case 'certificates':
    case 'metrics':
    case 'proof':
    case 'closed':
      return server?.send(message)
  }
}

// Without a supervisor nobody could ever stop or reload this process.
process.on('disconnect', () => process.exit(0))
process.on('exit', () => {
  server?.clean()
  // Programs that a thread had no time to end.
  killSession(process.pid)
})
// A terminal's Ctrl-C reaches the whole process group; the supervisor decides when we end.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('SIGHUP', () => {})
