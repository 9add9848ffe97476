/** The status of a running site for people, once. */
import type { Http2Numbers } from '../request/counters.ts'
import { countOf, meanOf } from '../stats/histograms.ts'
import type { AppStatus, RequestsStatus, SiteStatus, WorkerStatus } from '../supervisor/status.ts'
import { backgroundTables } from './background-text.ts'
import { isolationTable } from './isolation-text.ts'
import { queueTable } from './jobs-text.ts'
import { showClosed } from './maintenance.ts'
import { poolCountsTable } from './pool-counts-text.ts'
import { poolTable } from './pool-text.ts'
import { harmless, showBytes, showMs, showQuantile, showTime, table } from './show.ts'
import { certificateTable, showHandshakes } from './tls-text.ts'

/** More routes, or workers, are for `--json`. */
const MOST_ROWS = 20

export function showStatus(status: SiteStatus): string {
  const { totals, server } = status
  const facts: [string, string][] = [
    ['site', status.site],
    ['urls', status.urls.join(' ')],
    ['state', showPhase(status)],
    ...(status.closed === undefined
      ? []
      : [['closed', showClosed(status.closed)] as [string, string]]),
    ['since', `${showTime(status.uptimeMs)} (pid ${status.pid}, server ${server.pid})`],
    ['visitors', `${totals.connections.open} connected, ${totals.connections.accepted} so far`],
    ...(totals.http2 === undefined
      ? []
      : [['http/2', showHttp2(totals.http2)] as [string, string]]),
    ['requests', `${totals.requests.active} in hand, ${totals.requests.total} so far`],
    ['answers', showAnswers(totals.answers)],
    ['traffic', `${showBytes(totals.bytes.received)} in, ${showBytes(totals.bytes.sent)} out`],
    ...(totals.tls === undefined ? [] : [['tls', showHandshakes(totals.tls)] as [string, string]]),
    ['memory', `${showBytes(totals.memory.rss)} in ${server.threads} threads`],
  ]
  const lines = facts.map(([name, value]) => `${name.padEnd(10)}${value}`)
  const apps = Object.entries(status.apps)
  const broken = apps.filter(([, app]) => app.state === 'broken')
  const reasons = broken.map(([name, app]) => `\n${name} is broken: ${app.detail}`)
  const background = backgroundTables(status.background)
  const parts = [
    appTable(apps),
    isolationTable(apps),
    workerTable(apps),
    jobWorkerTable(apps),
    poolTable(status.pools, Date.now()),
    poolCountsTable(status.poolCounts ?? {}),
    routeTable(status),
    streamTable(status),
    certificateTable(status.certificates),
    ...background,
    queueTable(status.commons?.jobs ?? []),
  ]
  const tables = parts.filter((part) => part.length > 0).flatMap((part) => ['', ...part])
  return `${[...lines, ...tables, ...reasons].join('\n')}\n`
}

type Apps = readonly (readonly [string, AppStatus])[]

function appTable(apps: Apps): string[] {
  if (apps.length === 0) return []
  const head = [
    'application',
    'state',
    'workers',
    'busy',
    'waiting',
    'requests',
    'errors',
    'mean',
    'p50',
    'p99',
    'had to wait',
    'restarts',
  ]
  const rows = apps.map(([name, app]) => [
    name,
    app.state,
    `${app.connected}`,
    `${app.busy}`,
    `${app.waiting}`,
    `${app.requests}`,
    `${app.errors}`,
    showMs(meanOf(app.served)),
    showQuantile(app.served, 0.5),
    showQuantile(app.served, 0.99),
    `${countOf(app.waited)}`,
    showRestarts(app),
  ])
  return table([head, ...rows], 2)
}

/** `3 (2 memory, 1 signal)` */
export function showRestarts({ restarts, reasons }: AppStatus): string {
  const all = Object.entries(reasons).map(([reason, count]) => `${count} ${reason}`)
  return all.length === 0 ? `${restarts}` : `${restarts} (${all.join(', ')})`
}

function workerTable(apps: Apps): string[] {
  const all = apps.flatMap(([name, app]) => app.workers.map((worker) => [name, worker] as const))
  if (all.length === 0) return []
  const head = [
    'worker',
    'pid',
    'age',
    'requests',
    'errors',
    'in hand',
    'running',
    'cpu',
    'rss',
    'last restart',
  ]
  const rows = all
    .slice(0, MOST_ROWS)
    .map(([app, worker]) => [
      `${app} ${worker.slot}`,
      `${worker.pid}`,
      showTime(worker.uptimeMs),
      `${worker.requests}`,
      `${worker.errors}`,
      `${worker.inHand}`,
      `${(worker.runMs / 1000).toFixed(1)} s`,
      `${(worker.cpuMs / 1000).toFixed(1)} s`,
      showBytes(worker.rss),
      showLast(worker),
    ])
  return [...table([head, ...rows], 1), ...more(all.length, 'workers')]
}

/** Those of jobs; mules have a table of their own. */
function jobWorkerTable(apps: Apps): string[] {
  const all = apps.flatMap(([name, { roles = [] }]) =>
    roles.filter(({ kind }) => kind === 'jobs').map((role) => [name, role] as const),
  )
  if (all.length === 0) return []
  const rows = all
    .slice(0, MOST_ROWS)
    .map(([app, { slot, pid, uptimeMs, restarts }]) => [
      `${app} ${slot}`,
      pid === 0 ? '-' : `${pid}`,
      showTime(uptimeMs),
      `${restarts}`,
    ])
  return [
    ...table([['job worker', 'pid', 'age', 'restarts'], ...rows], 1),
    ...more(all.length, 'job workers'),
  ]
}

function showLast({ lastRestart }: WorkerStatus): string {
  if (lastRestart === null) return ''
  const { reason, how, at } = lastRestart
  return `${at.slice(0, 19).replace('T', ' ')} ${reason}${how === '' ? '' : ` (${how})`}`
}

function routeTable({ routes }: SiteStatus): string[] {
  const used = routes
    .filter(({ requests, active }) => requests + active > 0)
    .sort((a, b) => b.requests - a.requests)
  if (used.length === 0) return []
  const head = ['route', 'requests', 'in hand', 'errors', 'sent', 'mean', 'p50', 'p99']
  const rows = used
    .slice(0, MOST_ROWS)
    .map((route) => [
      route.path === '' ? 'no route' : harmless(`${route.host} ${route.path}`),
      `${route.requests}`,
      `${route.active}`,
      `${route.errors}`,
      showBytes(route.sent),
      showMs(meanOf(route.took)),
      showQuantile(route.took, 0.5),
      showQuantile(route.took, 0.99),
    ])
  return [...table([head, ...rows], 1), ...more(used.length, 'routes')]
}

function streamTable({ streams = [] }: SiteStatus): string[] {
  if (streams.length === 0) return []
  const head = ['listener', 'open', 'accepted', 'refused', 'failed', 'received', 'sent']
  const rows = streams
    .slice(0, MOST_ROWS)
    .map((one) => [
      harmless(one.listener),
      `${one.open}`,
      `${one.accepted}`,
      `${one.refused}`,
      `${one.failed}`,
      showBytes(one.received),
      showBytes(one.sent),
    ])
  return [...table([head, ...rows], 1), ...more(streams.length, 'listeners')]
}

function more(count: number, what: string): string[] {
  return count > MOST_ROWS ? [`… ${count - MOST_ROWS} more ${what}: --json has all`] : []
}

/** What is in hand, the oldest first. */
export function showRequests({ total, requests }: RequestsStatus): string {
  if (total === 0) return 'nothing is in hand\n'
  const head = ['age', 'status', 'sent', 'application', 'pid', 'visitor', 'request']
  const rows = requests.map((request) => {
    const { method, target, host, peer, app, pid } = request
    return [
      showTimeShort(request.ageMs),
      request.status === 0 ? '-' : `${request.status}`,
      showBytes(request.sent),
      app === '' ? '-' : app,
      pid === 0 ? '-' : `${pid}`,
      harmless(peer) || '-',
      harmless(`${method} ${host}${target}`),
    ]
  })
  const left = total > requests.length ? [`… ${total - requests.length} more, younger ones`] : []
  return `${[...table([head, ...rows], 7), ...left].join('\n')}\n`
}

function showTimeShort(ms: number): string {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : showTime(ms)
}

function showPhase({ phase, generation, draining, lastReload }: SiteStatus): string {
  const old = draining.length === 0 ? '' : `, still finishing ${draining.join(', ')}`
  // Of a traceback the last line says what it was; the log has all of it.
  const lines = lastReload?.message.trimEnd().split('\n') ?? []
  const why = lines.length > 1 ? `${lines[0]} … ${lines.at(-1)}` : lines[0]
  const failed = lastReload?.ok === false ? `; the last reload failed: ${why}` : ''
  return `${phase}, generation ${generation}${old}${failed}`
}

function showHttp2({ open, accepted, requests }: Http2Numbers): string {
  return `${open} connected, ${accepted} so far, ${requests} requests`
}

function showAnswers(answers: Readonly<Record<string, number>>): string {
  const counted = Object.entries(answers).filter(([, count]) => count > 0)
  return counted.map(([name, count]) => `${name} ${count}`).join(', ') || 'none yet'
}
