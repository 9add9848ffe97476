/**
 * The admin socket: HTTP over a unix socket that only the supervisor's own user may open (mode 0600).
 *
 *     GET  /status    JSON, see status.ts
 *     GET  /requests  JSON: what is in hand, the oldest first; ?most=100&queries=1
 *     GET  /metrics   OpenMetrics text
 *     POST /reload    200, or 409 with the reason why the old site keeps serving; ?app=NAME reloads that
 *                     application alone, &rolling=1 (or 0) one worker at a time (or not)
 *     POST /run       200 with what came of the task ?name=…, once it has run; 409 with why it has not
 *     POST /pool      ?pool=…&server=…&state=drain (or maint, ready): 200, or 409 with the reason
 *     POST /maintenance  ?state=on (or off), &host=NAME for that host alone; 200, or 409 with the reason
 *     POST /renew     202: the automatic certificate of ?name=… is obtained anew; 409 where there is none
 *     POST /stop      202; the process ends when everything in hand is finished
 */
import { mkdirSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import type { LastRun } from '../background/task.ts'
import { type Order, orders } from '../balance/cells.ts'
import { OPENMETRICS_TYPE } from '../handlers/metrics.ts'
import { ListenError, openUnix, removeSocketFile } from '../listen/open.ts'
import { WHOLE_SITE } from '../site/plan.ts'
import { renderMetrics } from '../stats/openmetrics.ts'
import { http } from '../system/http.ts'
import type { ClosedResult } from './closed.ts'
import type { Ordered } from './pool-health.ts'
import type { OneApp, ReloadResult, RequestsStatus, SiteStatus } from './status.ts'

const MODE = 0o600
const BACKLOG = 64
/** Requests in hand that are listed, where nobody says how many. */
const USUAL_REQUESTS = 1_000
const MOST_REQUESTS = 100_000

export interface AdminActions {
  status(): Promise<SiteStatus>
  requests(most: number): Promise<RequestsStatus>
  /** Null: the whole site. */
  reload(only: OneApp | null): Promise<ReloadResult>
  stop(): void
  /** `host`: WHOLE_SITE for all of them. */
  maintain(on: boolean, host: string): Promise<ClosedResult>
  /** Throws with why there is none to renew. */
  renew(name: string): void
  /** Whether a server of a pool is asked from now on. */
  order(pool: string, server: string, order: Order): Promise<Ordered>
  /** Rejects with why it does not run. */
  runTask(name: string): Promise<LastRun>
}

export interface AdminSocket {
  close(): void
}

/** Throws a ListenError when another supervisor answers there already. */
export function openAdmin(path: string, actions: AdminActions): AdminSocket {
  const { fd, inode } = openSocket(path)
  const server: Server = http.createServer((request, response) => {
    handle(request, response, actions).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      if (response.headersSent) response.destroy()
      else reply(response, 500, { error: message })
    })
  })
  server.listen({ fd, backlog: BACKLOG })
  return {
    close() {
      server.close()
      server.closeIdleConnections()
      removeSocketFile(path, inode)
    },
  }
}

function openSocket(path: string): { fd: number; inode: number } {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    return openUnix(path, MODE, BACKLOG)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'EINVAL'
    const reason =
      code === 'EADDRINUSE'
        ? `already running: another supervisor answers on ${path}; \`portico stop\` it, or give this one its own with --admin`
        : `cannot open the admin socket ${path}: ${error instanceof Error ? error.message : error}`
    throw new ListenError(code, reason, { cause: error })
  }
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  actions: AdminActions,
): Promise<void> {
  request.resume()
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://admin')
  switch (`${request.method} ${pathname}`) {
    case 'GET /status':
      return reply(response, 200, await actions.status())
    case 'GET /requests': {
      const most = Number(searchParams.get('most') ?? USUAL_REQUESTS)
      if (!(most > 0 && most <= MOST_REQUESTS)) {
        return reply(response, 400, { error: `most: a number from 1 to ${MOST_REQUESTS}` })
      }
      const all = await actions.requests(most)
      return reply(response, 200, searchParams.has('queries') ? all : withoutQueries(all))
    }
    case 'GET /metrics':
      response.writeHead(200, { 'Content-Type': OPENMETRICS_TYPE })
      response.end(renderMetrics(await actions.status()))
      return
    case 'POST /reload': {
      const result = await actions.reload(oneApp(searchParams))
      return reply(response, result.ok ? 200 : 409, result)
    }
    case 'POST /run': {
      const run = actions.runTask(searchParams.get('name') ?? '')
      return run.then(
        (result) => reply(response, 200, result),
        (error: Error) => reply(response, 409, { error: error.message }),
      )
    }
    case 'POST /maintenance': {
      const state = searchParams.get('state')
      if (state !== 'on' && state !== 'off') {
        return reply(response, 400, { error: 'state: on or off' })
      }
      const result = await actions.maintain(state === 'on', searchParams.get('host') ?? WHOLE_SITE)
      return reply(response, result.ok ? 200 : 409, result)
    }
    case 'POST /renew':
      try {
        actions.renew(searchParams.get('name') ?? '')
      } catch (error) {
        return reply(response, 409, { error: (error as Error).message })
      }
      return reply(response, 202, {})
    case 'POST /pool': {
      const state = searchParams.get('state') ?? ''
      if (!isOrder(state)) {
        return reply(response, 400, { error: `state: one of ${Object.keys(orders).join(', ')}` })
      }
      const name = (key: string): string => searchParams.get(key) ?? ''
      const done = await actions.order(name('pool'), name('server'), state)
      return reply(response, done.server === '' ? 409 : 200, done)
    }
    case 'POST /stop':
      actions.stop()
      return reply(response, 202, { pid: process.pid })
  }
  const readable = ['/status', '/requests', '/metrics'].includes(pathname)
  const known =
    readable || ['/reload', '/run', '/pool', '/maintenance', '/renew', '/stop'].includes(pathname)
  if (!known) return reply(response, 404, { error: `no such resource: ${pathname}` })
  const allow = readable ? 'GET' : 'POST'
  response.setHeader('Allow', allow)
  reply(response, 405, { error: `use ${allow}` })
}

function isOrder(state: string): state is Order {
  return Object.hasOwn(orders, state)
}

function oneApp(query: URLSearchParams): OneApp | null {
  const app = query.get('app') ?? ''
  if (app === '') return null
  const rolling = query.get('rolling')
  return { app, rolling: rolling === null ? undefined : rolling !== '0' }
}

/** They may be secret. */
function withoutQueries({ total, requests }: RequestsStatus): RequestsStatus {
  const bare = requests.map((one) => ({ ...one, target: one.target.split('?', 1)[0]! }))
  return { total, requests: bare }
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(`${JSON.stringify(body)}\n`)
}
