/** One server thread: an event loop that accepts, answers and logs, from its part of the Plan. */
import { existsSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { parentPort, workerData } from 'node:worker_threads'
import { createPool } from '../balance/pool.ts'
import { fastcgi } from '../gateways/fastcgi/gateway.ts'
import type { Gateway, GatewayOptions } from '../gateways/gateway.ts'
import { Http1Gateway } from '../gateways/http1/gateway.ts'
import { ProxiedGateway } from '../gateways/proxied.ts'
import { scgi } from '../gateways/scgi/gateway.ts'
import { uwsgi } from '../gateways/uwsgi/gateway.ts'
import { app } from '../handlers/app.ts'
import { type CgiHost, cgi } from '../handlers/cgi.ts'
import { surviveStrayErrors } from '../handlers/fetch/stray-errors.ts'
import { fetchHandler, ThreadApp } from '../handlers/fetch.ts'
import { files } from '../handlers/files.ts'
import { NodeApp, nodeHandler } from '../handlers/node.ts'
import { Gate } from '../handlers/php/gate.ts'
import { Seats } from '../handlers/php/seats.ts'
import { php } from '../handlers/php.ts'
import { proxy } from '../handlers/proxy.ts'
import { redirect } from '../handlers/redirect.ts'
import { respond } from '../handlers/respond.ts'
import { sendFiles } from '../handlers/send-files.ts'
import { type Acceptor, accept } from '../listen/accept.ts'
import { onTick } from '../request/clock.ts'
import { Counters } from '../request/counters.ts'
import type { Handler } from '../request/exchange.ts'
import { Flow } from '../request/flow.ts'
import { AccessLog } from '../request/log.ts'
import { Router } from '../request/route.ts'
import { Trust } from '../request/trust.ts'
import type { HandlerPlan, ListenerPlan, ListenScheme } from '../site/plan.ts'
import { Claims } from '../transports/worker-link/claims.ts'
import { Dispatch, type DispatchHost } from '../transports/worker-link/dispatch.ts'
import { type LinkOwner, WorkerLink } from '../transports/worker-link/link.ts'
import {
  APP_PLACES,
  AppPlace,
  type FromThread,
  type ThreadStart,
  type ToThread,
} from './messages.ts'
import { serviceSocket } from './service-socket.ts'
import { sendWorkerFile } from './worker-file.ts'

const start: ThreadStart = workerData
const port = parentPort!
const { plan } = start

const tell = (message: FromThread): void => port.postMessage(message)
const complain = (message: string): void => tell({ type: 'log', level: 'warn', message })

const host: DispatchHost = {
  dev: plan.dev,
  stuck: (report) => tell({ type: 'stuck', ...report }),
  sendFile: sendWorkerFile,
}

const dispatches = new Map<string, Dispatch>()
/** Applications that run in this thread. */
const threadApps = new Map<string, ThreadApp>()
/** Node applications in workers. */
const nodeApps = new Map<string, NodeApp>()
/** Applications that a service of their own runs. */
const gates = new Map<string, Gate>()
for (const [name, memory] of Object.entries(start.apps)) {
  const app = plan.apps[name]!
  if (app.kind === 'node' && app.run === 'threads') {
    threadApps.set(name, new ThreadApp(app, plan.dev))
    continue
  }
  if (app.kind === 'php') {
    const socket = serviceSocket(dirname(start.linkPath), plan, name)
    const { dev, stuck } = host
    const { threads, thread } = start
    const seats = new Seats(memory.claims, app.workers, threads, thread, name)
    gates.set(name, new Gate(app, socket, seats, { dev, stuck, complain }))
    continue
  }
  const claims = new Claims(memory.claims, memory.slots, start.threads, start.thread)
  const dispatch = new Dispatch(app, claims, host)
  if (app.kind === 'node') nodeApps.set(name, new NodeApp(app, dispatch, start.spool, host))
  else dispatches.set(name, dispatch)
}

/** A connection that has not said which application's worker it is. */
const stranger: LinkOwner = {
  hello: (link, hello) =>
    (nodeApps.get(hello.app) ?? dispatches.get(hello.app))?.hello(link, hello) ?? null,
  served: () => {},
  settled: () => {},
  file: () => {},
  lost: () => {},
}

const pools = new Map(
  Object.entries(plan.pools).map(([name, pool]) => [
    name,
    createPool(pool, { spool: start.spool, log: complain }),
  ]),
)

const programs: CgiHost = {
  user: plan.user,
  spool: start.spool,
  say: (level, message) => tell({ type: 'log', level, message }),
  redirect: (exchange, target) => flow.redirect(exchange, target),
}

const handlers: Handler[] = []
let flow!: Flow

function makeHandler(plan: HandlerPlan): Handler {
  const handler = handlerOf(plan)
  handlers.push(handler)
  return handler
}

function appHandler(name: string): Handler {
  const threadApp = threadApps.get(name)
  if (threadApp !== undefined) return fetchHandler(threadApp)
  const nodeApp = nodeApps.get(name)
  if (nodeApp !== undefined) return nodeHandler(nodeApp)
  const served = plan.apps[name]!
  if (served.kind === 'php') return php(served, gates.get(name)!, start.spool)
  return app(dispatches.get(name)!, start.spool)
}

function handlerOf(handler: HandlerPlan): Handler {
  switch (handler.kind) {
    case 'files':
      return files(handler)
    case 'app':
      return sendFiles(appHandler(handler.app), handler.sendFiles, complain)
    case 'proxy':
      return sendFiles(proxy(pools.get(handler.pool)!), handler.sendFiles, complain)
    case 'cgi':
      return cgi(handler, programs)
    case 'redirect':
      return redirect(handler)
    case 'respond':
      return respond(handler)
  }
}

function makeGateway(scheme: ListenScheme, options: GatewayOptions): Gateway {
  switch (scheme) {
    case 'http':
      return new Http1Gateway(options)
    case 'uwsgi':
      return uwsgi(options, false)
    case 'puwsgi':
      return uwsgi(options, true)
    case 'fastcgi':
      return fastcgi(options)
    case 'scgi':
      return scgi(options)
  }
}

/** For a listener with `proxy-protocol: true`. */
function behindProxy(inner: Gateway, listener: string): Gateway {
  return new ProxiedGateway(inner, {
    headMs: plan.timeouts.headMs,
    most: plan.limits.connections,
    complain: (error, address) => {
      const message = `listen ${listener}: ${address}: ${error.message}`
      tell({ type: 'log', level: 'warn', message })
    },
  })
}

/** `done` is called when no gateway has a connection left. */
function drainAll(gateways: readonly Gateway[], done: () => void): void {
  let left = gateways.length
  for (const gateway of gateways) {
    gateway.drain(() => {
      if (--left === 0) done()
    })
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

function main(): void {
  const log = openLog()
  const counters = Counters.of(start.counters, start.thread)
  flow = new Flow(new Router(plan.hosts, makeHandler), counters, log, new Trust(plan.trusted))
  const options: GatewayOptions = {
    flow,
    counters,
    limits: plan.limits,
    timeouts: plan.timeouts,
    serverName: plan.serverName,
    dev: plan.dev,
  }
  const gateways = new Map<string, Gateway>()
  const gatewayFor = ({ name, scheme, proxyProtocol }: ListenerPlan): Gateway => {
    const key = proxyProtocol ? name : scheme
    const known = gateways.get(key)
    if (known !== undefined) return known
    const plain = makeGateway(scheme, options)
    const gateway = proxyProtocol ? behindProxy(plain, name) : plain
    gateways.set(key, gateway)
    return gateway
  }
  const acceptors: Acceptor[] = []
  let opening = start.sockets.length + 1
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
  for (const { fd, listener } of start.sockets) {
    const { backlog } = listener
    const gateway = gatewayFor(listener)
    acceptors.push(
      accept({
        ...shared,
        on: { fd, backlog },
        admit: () => gateway.admit(),
        connect: (socket) => gateway.connect(socket),
      }),
    )
  }

  onTick((now) => {
    for (const [name, dispatch] of [...dispatches, ...gates, ...nodeApps, ...threadApps]) {
      dispatch.check(now)
      const bytes = APP_PLACES * Float64Array.BYTES_PER_ELEMENT
      const counts = new Float64Array(start.apps[name]!.counts, start.thread * bytes, APP_PLACES)
      counts[AppPlace.requests] = dispatch.counts.requests
      counts[AppPlace.errors] = dispatch.counts.errors
      counts[AppPlace.waiting] = dispatch.waiting
      counts[AppPlace.busy] = dispatch.busy
      counts[AppPlace.workers] = dispatch.workers
    }
  })

  port.on('message', (message: ToThread) => {
    switch (message.type) {
      case 'app':
        gates.get(message.app)?.setStatus(message.status)
        return (nodeApps.get(message.app) ?? dispatches.get(message.app))?.setStatus(message.status)
      case 'reopen-logs':
        return log?.reopen()
      case 'drain':
        for (const acceptor of acceptors) acceptor.close()
        tell({ type: 'draining' })
        for (const app of [...dispatches.values(), ...nodeApps.values(), ...threadApps.values()]) {
          app.drain()
        }
        return drainAll([...gateways.values()], () => tell({ type: 'drained' }))
      case 'close':
        for (const gateway of gateways.values()) gateway.close()
        links.close()
        for (const app of [...dispatches.values(), ...nodeApps.values()]) app.close()
        for (const gate of gates.values()) gate.close()
        for (const handler of handlers) handler.close?.()
        for (const pool of pools.values()) pool.close()
        log?.close()
        // What applications here asked to be waited for; the process as a whole has its own bound.
        void Promise.all([...threadApps.values()].map((app) => app.settled())).then(() =>
          process.exit(0),
        )
        return
    }
  })
}

// An application's stray error is no reason to end the site; one of ours is.
if (threadApps.size > 0) surviveStrayErrors(complain)

try {
  for (const [name, app] of threadApps) {
    const detail = await app.load()
    if (detail !== '') tell({ type: 'broken', app: name, detail })
  }
  main()
} catch (error) {
  tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
}
