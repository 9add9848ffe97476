/** One server thread: an event loop that accepts, answers and logs, from its part of the Plan. */
import { existsSync, unlinkSync } from 'node:fs'
import { getSystemErrorMessage } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import type { Pool } from '../balance/pool.ts'
import type { FilterHost } from '../filters/filter.ts'
import { unfiltered } from '../filters/unfiltered.ts'
import { files } from '../handlers/files.ts'
import { type HealthHost, health } from '../handlers/health.ts'
import { metrics, Scrapes } from '../handlers/metrics.ts'
import { proxy } from '../handlers/proxy.ts'
import { redirect } from '../handlers/redirect.ts'
import { respond } from '../handlers/respond.ts'
import { sendFiles } from '../handlers/send-files.ts'
import { type Acceptor, accept } from '../listen/accept.ts'
import { lightTls } from '../listen/tls-handle.ts'
import { onTick } from '../request/clock.ts'
import { Counters } from '../request/counters.ts'
import type { Handler } from '../request/exchange.ts'
import { Flow } from '../request/flow.ts'
import { AccessLog } from '../request/log.ts'
import { type Doors, type Pages, Router, routesOf } from '../request/route.ts'
import { Tracer } from '../request/trace.ts'
import { Trust } from '../request/trust.ts'
import { USUAL_HTTP2 } from '../site/http2-plan.ts'
import { isPlain } from '../site/judge-stream-pool.ts'
import type { HandlerPlan, HostPlan, RoutePlan } from '../site/plan.ts'
import type { StreamListeners } from '../stream/listeners.ts'
import type { ConnectionLine } from '../stream/log-line.ts'
import { tallyOf } from '../transports/backend/tally.ts'
import { type LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'
import { type AppsHost, type ServedApp, serveApp } from './apps.ts'
import { Gateways } from './gateways.ts'
import { guests } from './guests.ts'
import { requestsInHand } from './in-hand.ts'
import type { FromThread, ThreadStart, ToThread } from './messages.ts'
import type { TlsHost } from './secured.ts'
import { sendWorkerFile } from './worker-file.ts'

const start: ThreadStart = workerData
const port = parentPort!
const { plan } = start

const tell = (message: FromThread): void => port.postMessage(message)
const complain = (message: string): void => tell({ type: 'log', level: 'warn', message })
/** The other threads will find the same. */
const complainOnce = (message: string): void => tell({ type: 'found', message })

const host: AppsHost = {
  dev: plan.dev,
  stuck: (report) => tell({ type: 'stuck', ...report }),
  slow: (report) => tell({ type: 'slow', ...report }),
  sendFile: sendWorkerFile,
  complain,
  broken: (app, detail) => tell({ type: 'broken', app, detail }),
  linked: (app, { slot, pid, capacity }) =>
    tell({ type: 'linked', app, slot, pid, capacity, thread: start.thread }),
  wanted: (app) => tell({ type: 'wanted', app }),
}

const apps = new Map<string, ServedApp>()

/** A connection that has not said which application's worker it is. */
const stranger: LinkOwner = {
  hello: (link, hello) =>
    start.quarters[hello.app] === undefined
      ? (apps.get(hello.app)?.hello(link, hello) ?? null)
      : null,
  served: () => {},
  settled: () => {},
  file: () => {},
  lost: () => {},
}

const pools = await routedPools()

/** Those that requests go to. Loaded where there are any. */
async function routedPools(): Promise<ReadonlyMap<string, Pool>> {
  const made = new Map<string, Pool>()
  const routed = Object.entries(plan.pools).filter(([, { servers }]) => !servers.some(isPlain))
  if (routed.length === 0) return made
  const { createPool } = await import('../balance/pool.ts')
  for (const [name, pool] of routed) {
    const options = {
      spool: start.spool,
      log: complain,
      memory: start.pools[name]!,
      files: start.poolFiles[name],
      belongings: start.belongings[name],
      tallyOf: (server: number) => tallyOf(start.tallies, plan, start.thread, name, server),
    }
    made.set(name, createPool(pool, options))
  }
  return made
}

/** Visitors who ask for the metrics. */
const scrapes = new Scrapes(() => tell({ type: 'metrics' }))

/** The site is being stopped. */
let leaving = false

const healthHost: HealthHost = {
  get leaving() {
    return leaving
  },
  health: (app) => apps.get(app)!.health(),
}

const handlers: Handler[] = []
let flow!: Flow

/** CGI is loaded where a route needs it. */
const cgi = hasCgi() ? (await import('../handlers/cgi.ts')).cgi : null

function hasCgi(): boolean {
  return plan.hosts.some(({ routes }) => routes.some(({ handler }) => handler.kind === 'cgi'))
}

/** Filters are loaded where a route has any. */
const doors = hasFilters() ? (await import('../filters/compose.ts')).doors : null

const { errorPages } = hasPages() ? await import('../filters/errors.ts') : { errorPages: null }

function hasPages(): boolean {
  return plan.errors !== undefined || plan.hosts.some(({ errors }) => errors !== undefined)
}

/** Of what no route takes, or no host. */
function makePages(host: HostPlan | null): Pages | null {
  const { errors } = host ?? plan
  return errors === undefined ? null : errorPages!(errors, complainOnce)
}

function hasFilters(): boolean {
  return plan.hosts.some(({ routes }) => routes.some(({ filters }) => filters !== undefined))
}

const filterHost: FilterHost = {
  limits: start.limits,
  serve: (pool, exchange) => pools.get(pool)!.serve(exchange),
  reroute: (exchange, line) => flow.reroute(exchange, line),
  complain: complainOnce,
}

/** Of each route, in the order of their numbers. */
const allDoors: Doors[] = []

function makeHandler(plan: HandlerPlan, { filters }: RoutePlan): Handler {
  const handler = handlerOf(plan)
  const made = doors?.(filters, handler, filterHost) ?? unfiltered(handler, filterHost)
  // Whoever looks after the site goes on seeing it.
  const watches = plan.kind === 'health' || plan.kind === 'metrics'
  allDoors.push(watches ? { open: made.open, shut: made.open } : made)
  handlers.push(made.open)
  return made.open
}

function handlerOf(handler: HandlerPlan): Handler {
  switch (handler.kind) {
    case 'files':
      return files(handler)
    case 'app':
      return sendFiles(apps.get(handler.app)!.handler(handler), handler.sendFiles, complain)
    case 'proxy':
      return sendFiles(proxy(pools.get(handler.pool)!), handler.sendFiles, complain)
    case 'cgi':
      return cgi!(handler, {
        user: plan.user,
        spool: start.spool,
        say: (level, message) => tell({ type: 'log', level, message }),
        redirect: (exchange, target) => flow.redirect(exchange, target),
      })
    case 'metrics':
      return metrics(scrapes)
    case 'health':
      return health(handler, healthHost)
    case 'redirect':
      return redirect(handler)
    case 'respond':
      return respond(handler)
  }
}

function openLog(): AccessLog | null {
  const { access, format } = plan.log
  if (access === 'off') return null
  try {
    return new AccessLog(access, format)
  } catch (cause) {
    const errno = cause instanceof Error && 'errno' in cause ? Number(cause.errno) : 0
    const who = plan.user === '' ? '' : ` as user ${plan.user}`
    const why = errno === 0 ? String(cause) : getSystemErrorMessage(errno)
    throw new Error(`log.access: ${access} cannot be opened${who}: ${why}`, { cause })
  }
}

/** Loaded where there is one. */
async function listenersWithoutHttp(
  counters: Counters,
  log: AccessLog | null,
): Promise<StreamListeners | null> {
  if (!plan.listeners.some(({ stream, mail }) => stream !== undefined || mail !== undefined))
    return null
  const { StreamListeners } = await import('../stream/listeners.ts')
  const { thread, pools, streams, belongings, tallies } = start
  const write = log === null ? null : (line: ConnectionLine): void => log.connection(line)
  return new StreamListeners({
    plan,
    thread,
    pools,
    belongings,
    tallies,
    streams,
    counters,
    log: write,
    complain,
  })
}

/** Loaded where a listener has TLS. */
async function tlsHost(): Promise<TlsHost> {
  const { ServerTls } = await import('../tls/server.ts')
  return {
    tls: new ServerTls(start.tls),
    challenge: (name) => flow.proofs?.choice(name) ?? Promise.resolve(null),
    demand:
      plan.acme === undefined || plan.acme.ask === ''
        ? null
        : (name) => flow.proofs?.demand(name) ?? Promise.resolve(),
  }
}

async function main(): Promise<void> {
  const log = openLog()
  const counters = Counters.of(start.counters, start.thread, routesOf(plan.hosts).length)
  for (const [name, memory] of Object.entries(start.apps)) {
    apps.set(name, await serveApp(plan.apps[name]!, memory, start, host))
  }
  const router = new Router(plan.hosts, makeHandler, makePages)
  router.close(start.closed, allDoors)
  flow = new Flow(
    router,
    counters,
    log,
    new Trust(plan.trusted),
    plan.trace === null ? null : new Tracer(plan.trace),
  )
  if (plan.acme !== undefined) {
    const { Proofs } = await import('../acme/proofs.ts')
    const { thread } = start
    flow.proofs = new Proofs((question) => tell({ type: 'proof', thread, ...question }))
  }
  const tls = plan.tls === undefined ? null : await tlsHost()
  if (plan.tls !== undefined && (plan.tls.redirectPort > 0 || plan.tls.hsts !== null)) {
    const { HttpsOnly } = await import('../request/https-only.ts')
    flow.https = new HttpsOnly(plan.tls.redirectPort, plan.tls.hsts)
  }
  const { limits, timeouts, serverName, dev, http2 = USUAL_HTTP2 } = plan
  const streams = await listenersWithoutHttp(counters, log)
  const gateways = new Gateways(
    { flow, counters, limits, timeouts, serverName, dev, http2 },
    (listener) => streams?.gateway(listener) ?? null,
    tls,
    complain,
  )
  const acceptors: Acceptor[] = []
  const quarters = Object.entries(start.quarters)
  let opening = start.sockets.length + 1 + quarters.length
  const shared = {
    ready: (): void => {
      if (--opening === 0) tell({ type: 'ready' })
    },
    failed: (error: Error): void => tell({ type: 'failed', message: error.message }),
  }

  // A server that died left its socket behind; the path is in a private folder, so it is ours.
  if (existsSync(start.linkPath)) unlinkSync(start.linkPath)
  const links = accept({
    ...shared,
    on: { path: start.linkPath },
    admit: () => true,
    connect: (socket) => new WorkerLink(socket, stranger),
  })
  const guestLinks = quarters.map(([name, own]) => {
    const owner = guests(() => apps.get(name)!, name, own)
    return accept({
      ...shared,
      on: { fd: own.link },
      admit: () => true,
      connect: (socket) => new WorkerLink(socket, owner),
    })
  })
  for (const { fd, listener } of start.sockets) {
    const gateway = await gateways.of(listener)
    if (listener.scheme === 'udp') {
      streams?.receive(gateway, fd, shared)
      continue
    }
    acceptors.push(
      accept({
        ...shared,
        on: { fd, backlog: listener.backlog },
        sockets: listener.tls !== undefined && !lightTls,
        admit: () => gateway.admit(),
        connect: (socket) => gateway.connect(socket),
      }),
    )
  }

  onTick((now) => {
    flow.proofs?.check(now)
    for (const app of apps.values()) {
      app.check(now)
      app.tally()
    }
  })

  port.on('message', (message: ToThread) => {
    switch (message.type) {
      case 'app':
        return apps.get(message.app)?.setStatus(message.status)
      case 'dismiss':
        apps.get(message.app)?.dismiss(message.slot, message.pid)
        return tell({ type: 'dismissed', ask: message.ask })
      case 'reopen-logs':
        return log?.reopen()
      case 'requests': {
        const inHand = requestsInHand(gateways, apps.values(), message.most)
        return tell({ type: 'requests', ask: message.ask, ...inHand })
      }
      case 'certificates':
        return tls?.tls.replace(message.tls)
      case 'closed':
        return router.close(message.closed, allDoors)
      case 'metrics':
        return scrapes.told(message.text)
      case 'proof':
        if (message.thread === start.thread) flow.proofs?.told(message.ask, message.proof)
        return
      case 'leave':
        leaving = true
        return
      case 'drain':
        for (const acceptor of acceptors) acceptor.close()
        tell({ type: 'draining' })
        for (const app of apps.values()) app.drain()
        return gateways.drain(() => tell({ type: 'drained' }))
      case 'close': {
        gateways.close()
        for (const acceptor of [links, ...guestLinks]) acceptor.close()
        for (const app of apps.values()) app.close()
        for (const handler of handlers) handler.close?.()
        for (const pool of pools.values()) pool.close()
        streams?.close()
        log?.close()
        // What applications here asked to be waited for; the process as a whole has its own bound.
        const finished = [...apps.values()].map((app) => app.finished())
        return void Promise.all(finished).then(() => process.exit(0))
      }
    }
  })
}

try {
  await main()
} catch (error) {
  tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
}
