/**
 * Every figure that monitors get, once: its names, what it means and where it is in the status. OpenMetrics,
 * StatsD and docs/metrics.md derive from here.
 */
import type { CertificateStatus } from '../acme/status.ts'
import type { ScheduleFacts } from '../background/schedules.ts'
import type { ServerHealth } from '../balance/health-report.ts'
import type { PoolCounts } from '../balance/pool-counts.ts'
import type { CommonsStatus, QueueStatus } from '../commons/protocol.ts'
import type { HandshakeNumbers, Http2Numbers } from '../request/counters.ts'
import type { Histogram } from '../request/histogram.ts'
import type { RouteDetails } from '../server/protocol.ts'
import type { StreamDetails } from '../stream/details.ts'
import type { AppStatus, SiteStatus, WorkerStatus } from '../supervisor/status.ts'
import { countOf } from './histograms.ts'

/** A value with its labels' values, in the order of their names. */
export interface Sample<Value = number> {
  readonly labels: readonly string[]
  readonly value: Value
}

interface Described {
  /** Of the OpenMetrics family: without the suffix that samples carry. Its unit is its last word. */
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  /** The name at a StatsD server, behind the prefix, with `{label}` for labels; '' for none. */
  readonly statsd: string
}

export interface PlainMetric extends Described {
  readonly kind: 'counter' | 'gauge' | 'info'
  read(status: SiteStatus): readonly Sample[]
}

export interface TimesMetric extends Described {
  readonly kind: 'histogram'
  read(status: SiteStatus): readonly Sample<Histogram>[]
}

export type Metric = PlainMetric | TimesMetric

type Of<Thing, Value> = (thing: Thing) => Value

type Declare<One extends Metric> = (
  name: string,
  statsd: string,
  help: string,
  labels: readonly string[],
  read: One['read'],
) => One

function plain(kind: 'counter' | 'gauge'): Declare<PlainMetric> {
  return (name, statsd, help, labels, read) => ({
    kind,
    name: `portico_${name}`,
    statsd,
    help,
    labels,
    read,
  })
}

const counter = plain('counter')
const gauge = plain('gauge')

const times: Declare<TimesMetric> = (name, statsd, help, labels, read) => ({
  kind: 'histogram',
  name: `portico_${name}`,
  statsd,
  help,
  labels,
  read,
})

/** One value for the whole site. */
function whole(value: Of<SiteStatus, number>): PlainMetric['read'] {
  return (status) => [{ labels: [], value: value(status) }]
}

function perApp<Value>(value: Of<AppStatus, Value>): (status: SiteStatus) => Sample<Value>[] {
  return ({ apps }) =>
    Object.entries(apps).map(([name, app]) => ({ labels: [name], value: value(app) }))
}

function perWorker(value: Of<WorkerStatus, number>): PlainMetric['read'] {
  return ({ apps }) =>
    Object.entries(apps).flatMap(([name, { workers }]) =>
      workers.map((worker) => ({ labels: [name, String(worker.slot)], value: value(worker) })),
    )
}

function perRoute<Value>(value: Of<RouteDetails, Value>): (status: SiteStatus) => Sample<Value>[] {
  return ({ routes }) =>
    routes.map((route) => ({ labels: [route.host, route.path], value: value(route) }))
}

function perTask(value: Of<ScheduleFacts, number>): PlainMetric['read'] {
  return ({ background }) =>
    background.tasks.map((task) => ({
      labels: [task.app, task.kind, task.name],
      value: value(task),
    }))
}

/** With those that did not have to wait, which are not noted one by one. */
function queueTimes({ waited, served }: AppStatus): Histogram {
  const [first = 0, ...rest] = waited.counts
  const atOnce = Math.max(0, countOf(served) - countOf(waited))
  return { sumMs: waited.sumMs, counts: [first + atOnce, ...rest] }
}

const SITE: readonly Metric[] = [
  {
    kind: 'info',
    name: 'portico_build',
    help: 'The running version.',
    labels: ['version'],
    statsd: '',
    read: ({ version }) => [{ labels: [version], value: 1 }],
  },
  gauge(
    'uptime_seconds',
    'uptime',
    'Since the start.',
    [],
    whole((s) => s.uptimeMs / 1000),
  ),
  gauge(
    'generation',
    'generation',
    'Generation that serves.',
    [],
    whole((s) => s.generation),
  ),
  gauge(
    'generations_draining',
    'generations_draining',
    'Generations that finish what they have.',
    [],
    whole((s) => s.draining.length),
  ),
  counter('reloads', 'reloads.{result}', 'Reloads by result.', ['result'], ({ reloads }) => [
    { labels: ['succeeded'], value: reloads.succeeded },
    { labels: ['failed'], value: reloads.failed },
  ]),
  counter(
    'server_restarts',
    'server.restarts',
    'Server processes that died and were replaced, in this generation.',
    [],
    whole((s) => s.server.restarts),
  ),
  gauge(
    'server_threads',
    'server.threads',
    'Threads that serve.',
    [],
    whole((s) => s.server.threads),
  ),
  gauge(
    'server_resident_memory_bytes',
    'server.memory',
    'Memory of the server processes.',
    [],
    whole((s) => s.totals.memory.rss),
  ),
  gauge(
    'connections',
    'connections',
    'Open connections of visitors.',
    [],
    whole((s) => s.totals.connections.open),
  ),
  counter(
    'connections_accepted',
    'connections_accepted',
    'Connections accepted.',
    [],
    whole((s) => s.totals.connections.accepted),
  ),
  counter(
    'requests',
    'requests',
    'Requests begun.',
    [],
    whole((s) => s.totals.requests.total),
  ),
  gauge(
    'http2_connections',
    'http2.connections',
    'Open connections of visitors that speak HTTP/2.',
    [],
    ofHttp2(({ open }) => open),
  ),
  counter(
    'http2_connections_accepted',
    'http2.connections_accepted',
    'And all of them so far.',
    [],
    ofHttp2(({ accepted }) => accepted),
  ),
  counter(
    'http2_requests',
    'http2.requests',
    'Requests begun over HTTP/2.',
    [],
    ofHttp2(({ requests }) => requests),
  ),
  counter(
    'http2_streams_refused',
    'http2.streams_refused',
    'Requests over HTTP/2 that were too many at once on their connection: visitors may ask again.',
    [],
    ofHttp2(({ refused }) => refused),
  ),
  counter(
    'http2_faults',
    'http2.faults',
    'Connections over HTTP/2 that were ended because of what their visitors did.',
    [],
    ofHttp2(({ faults }) => faults),
  ),
  gauge(
    'requests_active',
    'requests_active',
    'Requests in hand.',
    [],
    whole((s) => s.totals.requests.active),
  ),
  counter('answers', 'answers.{class}', 'Answers by class of status.', ['class'], ({ totals }) =>
    Object.entries(totals.answers).map(([name, value]) => ({ labels: [name], value })),
  ),
  counter(
    'received_bytes',
    'received',
    'Bytes from visitors.',
    [],
    whole((s) => s.totals.bytes.received),
  ),
  counter(
    'sent_bytes',
    'sent',
    'Bytes to visitors.',
    [],
    whole((s) => s.totals.bytes.sent),
  ),
]

const APP = ['app']
const APPS: readonly Metric[] = [
  gauge(
    'app_up',
    'app.{app}.up',
    '1: the application is loaded, or asleep until somebody asks for it.',
    APP,
    perApp(({ state }) => (state === 'running' || state === 'asleep' ? 1 : 0)),
  ),
  counter(
    'app_requests',
    'app.{app}.requests',
    'Requests to the application.',
    APP,
    perApp((app) => app.requests),
  ),
  counter(
    'app_errors',
    'app.{app}.errors',
    'Requests that the application answered with 5xx, or did not answer.',
    APP,
    perApp((app) => app.errors),
  ),
  gauge(
    'app_waiting',
    'app.{app}.waiting',
    'Requests that wait for a worker.',
    APP,
    perApp((app) => app.waiting),
  ),
  gauge(
    'app_busy',
    'app.{app}.busy',
    'Workers with a request in hand; one that every server thread has given something counts for each.',
    APP,
    perApp((app) => app.busy),
  ),
  gauge(
    'app_workers',
    'app.{app}.workers',
    'Workers with a link to the server.',
    APP,
    perApp((app) => app.connected),
  ),
  counter(
    'app_sent_bytes',
    'app.{app}.sent',
    'Bytes of the bodies of its answers.',
    APP,
    perApp((app) => app.sent),
  ),
  times(
    'app_service_seconds',
    'app.{app}.service',
    'Time that a worker took for a request.',
    APP,
    perApp((app) => app.served),
  ),
  times(
    'app_queue_seconds',
    'app.{app}.queue',
    'Time that a request waited for a worker.',
    APP,
    perApp(queueTimes),
  ),
  counter(
    'app_restarts',
    'app.{app}.restarts.{reason}',
    'Workers and warm parents that were replaced, by reason.',
    ['app', 'reason'],
    ({ apps }) =>
      Object.entries(apps).flatMap(([name, { reasons }]) =>
        Object.entries(reasons).map(([reason, value]) => ({ labels: [name, reason], value })),
      ),
  ),
]

const WORKER = ['app', 'worker']
const WORKERS: readonly Metric[] = [
  counter(
    'worker_requests',
    'worker.{app}.{worker}.requests',
    'Requests in this place for a worker, in this generation.',
    WORKER,
    perWorker((worker) => worker.requests),
  ),
  counter(
    'worker_errors',
    'worker.{app}.{worker}.errors',
    'Of these, those that were answered with 5xx.',
    WORKER,
    perWorker((worker) => worker.errors),
  ),
  gauge(
    'worker_active',
    'worker.{app}.{worker}.active',
    'Requests in its hands.',
    WORKER,
    perWorker((worker) => worker.inHand),
  ),
  counter(
    'worker_running_seconds',
    'worker.{app}.{worker}.running',
    'Time that its requests took.',
    WORKER,
    perWorker((worker) => worker.runMs / 1000),
  ),
  counter(
    'worker_restarts',
    'worker.{app}.{worker}.restarts',
    'How often another worker came into this place, in this generation.',
    WORKER,
    perWorker((worker) => worker.restarts),
  ),
  gauge(
    'worker_age_seconds',
    'worker.{app}.{worker}.age',
    'Since the worker was started.',
    WORKER,
    perWorker((worker) => worker.uptimeMs / 1000),
  ),
  gauge(
    'worker_resident_memory_bytes',
    'worker.{app}.{worker}.memory',
    'Its resident memory; pages that it shares with its siblings count for each.',
    WORKER,
    perWorker((worker) => worker.rss),
  ),
  gauge(
    'worker_virtual_memory_bytes',
    'worker.{app}.{worker}.address_space',
    'Its address space.',
    WORKER,
    perWorker((worker) => worker.vsz),
  ),
  counter(
    'worker_cpu_seconds',
    'worker.{app}.{worker}.cpu',
    'User and system time of the worker that has this place.',
    WORKER,
    perWorker((worker) => worker.cpuMs / 1000),
  ),
]

const ROUTE = ['host', 'route']
const ROUTES: readonly Metric[] = [
  counter(
    'route_requests',
    'route.{host}.{route}.requests',
    'Requests finished, by the host and the path of the route as the site file has them; both empty for what no route has matched.',
    ROUTE,
    perRoute((route) => route.requests),
  ),
  gauge(
    'route_active',
    'route.{host}.{route}.active',
    'Requests in hand.',
    ROUTE,
    perRoute((route) => route.active),
  ),
  counter(
    'route_errors',
    'route.{host}.{route}.errors',
    'Requests that were answered with 5xx, or cut off by a fault behind us.',
    ROUTE,
    perRoute((route) => route.errors),
  ),
  counter(
    'route_sent_bytes',
    'route.{host}.{route}.sent',
    'Bytes of the bodies of answers.',
    ROUTE,
    perRoute((route) => route.sent),
  ),
  times(
    'route_duration_seconds',
    'route.{host}.{route}.duration',
    'From the complete head of a request to the end of its answer.',
    ROUTE,
    perRoute((route) => route.took),
  ),
]

function perStream(value: Of<StreamDetails, number>): PlainMetric['read'] {
  return ({ streams = [] }) =>
    streams.map((one) => ({ labels: [one.listener, one.protocol], value: value(one) }))
}

const STREAM = ['listener', 'protocol']
const STREAMS: readonly Metric[] = [
  gauge(
    'stream_connections',
    'stream.{listener}.{protocol}.connections',
    'Open connections, or sessions, of a listener without HTTP.',
    STREAM,
    perStream(({ open }) => open),
  ),
  counter(
    'stream_connections_accepted',
    'stream.{listener}.{protocol}.accepted',
    'Connections, or sessions, accepted.',
    STREAM,
    perStream(({ accepted }) => accepted),
  ),
  counter(
    'stream_connections_refused',
    'stream.{listener}.{protocol}.refused',
    'Those that were closed because there were as many as there may be.',
    STREAM,
    perStream(({ refused }) => refused),
  ),
  counter(
    'stream_connections_failed',
    'stream.{listener}.{protocol}.failed',
    'Those for which no server could be reached, or that were not understood.',
    STREAM,
    perStream(({ failed }) => failed),
  ),
  counter(
    'stream_received_bytes',
    'stream.{listener}.{protocol}.received',
    'Bytes from visitors.',
    STREAM,
    perStream(({ received }) => received),
  ),
  counter(
    'stream_sent_bytes',
    'stream.{listener}.{protocol}.sent',
    'Bytes to visitors.',
    STREAM,
    perStream(({ sent }) => sent),
  ),
]

const TASK = ['app', 'kind', 'task']
const BACKGROUND: readonly Metric[] = [
  counter(
    'task_runs',
    'task.{app}.{kind}.{task}.runs',
    'Runs of crons, timers, file watches and signal handlers that have ended; `app` is empty for those of the site file.',
    TASK,
    perTask((task) => task.runs),
  ),
  counter(
    'task_failures',
    'task.{app}.{kind}.{task}.failures',
    'Those of them that failed.',
    TASK,
    perTask((task) => task.failures),
  ),
  counter(
    'task_skipped',
    'task.{app}.{kind}.{task}.skipped',
    'Runs that were left out because the last one still went on.',
    TASK,
    perTask((task) => task.skipped),
  ),
  gauge(
    'task_running',
    'task.{app}.{kind}.{task}.running',
    'Runs that go on.',
    TASK,
    perTask((task) => task.running.length),
  ),
  gauge(
    'task_duration_seconds',
    'task.{app}.{kind}.{task}.duration',
    'How long the last run took; 0 before the first.',
    TASK,
    perTask((task) => (task.last?.ms ?? 0) / 1000),
  ),
  gauge('daemon_up', 'daemon.{daemon}.up', '1: the daemon is ready.', ['daemon'], (status) =>
    status.background.daemons.map(({ name, state }) => ({
      labels: [name],
      value: state === 'running' ? 1 : 0,
    })),
  ),
  counter(
    'daemon_restarts',
    'daemon.{daemon}.restarts',
    'Times that it ended and was started again.',
    ['daemon'],
    (status) =>
      status.background.daemons.map(({ name, restarts }) => ({ labels: [name], value: restarts })),
  ),
]

/** Nothing while there is no process for it. */
function commons(value: Of<CommonsStatus, number>): PlainMetric['read'] {
  return (status) => (status.commons === null ? [] : [{ labels: [], value: value(status.commons) }])
}

const COMMONS: readonly Metric[] = [
  gauge(
    'commons_used_bytes',
    'commons.used',
    'What applications share: memory that it takes, of cache.size.',
    [],
    commons((status) => status.used),
  ),
  gauge(
    'commons_resident_memory_bytes',
    'commons.memory',
    'Memory of the process that holds what applications share.',
    [],
    commons((status) => status.rss),
  ),
  gauge(
    'commons_keys',
    'commons.keys',
    'Keys of all databases.',
    [],
    commons((status) => status.keys),
  ),
  gauge(
    'commons_clients',
    'commons.clients',
    'Connections to what applications share.',
    [],
    commons((status) => status.clients),
  ),
  counter(
    'commons_commands',
    'commons.commands',
    'Commands that clients have asked.',
    [],
    commons((status) => status.commands),
  ),
  counter(
    'commons_hits',
    'commons.hits',
    'Reads of cached values that were there.',
    [],
    commons((status) => status.hits),
  ),
  counter(
    'commons_misses',
    'commons.misses',
    'Reads of cached values that were not there.',
    [],
    commons((status) => status.misses),
  ),
  counter(
    'commons_evictions',
    'commons.evictions',
    'Cached values that were given up for want of memory: raise cache.size.',
    [],
    commons((status) => status.evicted),
  ),
]

function perQueue(value: Of<QueueStatus, number>): PlainMetric['read'] {
  return ({ commons }) =>
    (commons?.jobs ?? []).map((jobs) => ({ labels: [jobs.queue], value: value(jobs) }))
}

const QUEUE = ['queue']
const JOBS: readonly Metric[] = [
  gauge(
    'jobs_waiting',
    'jobs.{queue}.waiting',
    'Jobs of the queue that nobody has begun. These figures are there once jobs were used, and some seconds old where there are very many.',
    QUEUE,
    perQueue((jobs) => jobs.waiting),
  ),
  gauge(
    'jobs_delayed',
    'jobs.{queue}.delayed',
    'Jobs whose time has not come, those that are to be tried again among them; 0 with RabbitMQ, which does not tell.',
    QUEUE,
    perQueue((jobs) => jobs.delayed),
  ),
  gauge(
    'jobs_running',
    'jobs.{queue}.running',
    'Jobs in the hands of workers.',
    QUEUE,
    perQueue((jobs) => jobs.running),
  ),
  gauge(
    'jobs_dead',
    'jobs.{queue}.dead',
    'Dead letters: jobs that have failed for good.',
    QUEUE,
    perQueue((jobs) => jobs.dead),
  ),
  gauge(
    'jobs_oldest_seconds',
    'jobs.{queue}.oldest',
    'Since the oldest job that waits was put; 0 where none waits, and with RabbitMQ.',
    QUEUE,
    perQueue((jobs) => jobs.oldestMs / 1000),
  ),
]

function perName(value: Of<CertificateStatus, number>): PlainMetric['read'] {
  return ({ automatic }) =>
    automatic.flatMap((one) => one.names.map((name) => ({ labels: [name], value: value(one) })))
}

const TLS: readonly Metric[] = [
  counter(
    'tls_handshakes',
    'tls.handshakes',
    'Handshakes of TLS that ended well.',
    [],
    ofHandshakes(({ handshakes }) => handshakes),
  ),
  counter(
    'tls_handshakes_resumed',
    'tls.handshakes_resumed',
    'And of these, those that resumed a session.',
    [],
    ofHandshakes(({ resumed }) => resumed),
  ),
  counter(
    'tls_handshakes_failed',
    'tls.handshakes_failed',
    'Connections that had no handshake in the end: what came was no TLS, or not in time, or nobody could agree.',
    [],
    ofHandshakes(({ failed }) => failed),
  ),
  gauge(
    'tls_certificate_ends_seconds',
    'tls.certificate.{from}.ends',
    'When a certificate that is served expires, since 1970.',
    ['from'],
    ({ certificates = [] }) =>
      certificates.map(({ from, expires }) => ({
        labels: [from],
        value: Math.floor(Date.parse(expires) / 1000),
      })),
  ),
]

/** Nothing where there is no TLS. */
/** Nothing where nobody has spoken it. */
function ofHttp2(value: Of<Http2Numbers, number>): PlainMetric['read'] {
  return ({ totals: { http2 } }) =>
    http2 === undefined ? [] : [{ labels: [], value: value(http2) }]
}

function ofHandshakes(value: Of<HandshakeNumbers, number>): PlainMetric['read'] {
  return ({ totals: { tls } }) => (tls === undefined ? [] : [{ labels: [], value: value(tls) }])
}

const CERTIFICATES: readonly Metric[] = [
  gauge(
    'certificate_ends_seconds',
    'certificate.{name}.ends',
    'When the automatic certificate of a name ends, since 1970; 0: there is none.',
    ['name'],
    perName(({ expires }) => Math.floor(expires / 1000)),
  ),
  gauge(
    'certificate_failures',
    'certificate.{name}.failures',
    'Attempts in a row that gave no certificate.',
    ['name'],
    perName(({ failures }) => failures),
  ),
]

function perServer(value: Of<ServerHealth, number>): PlainMetric['read'] {
  return ({ pools }) =>
    Object.entries(pools).flatMap(([pool, { servers }]) =>
      servers.map((one) => ({ labels: [pool, one.server], value: value(one) })),
    )
}

const SERVER = ['pool', 'server'] as const

const POOLS: readonly Metric[] = [
  gauge(
    'pool_server_up',
    'pool.{pool}.{server}.up',
    'Whether a server of a pool takes requests: 0 when its check says no, or an administrator.',
    SERVER,
    perServer(({ verdict, order, out }) =>
      verdict === 'down' || order !== 'ready' || out ? 0 : 1,
    ),
  ),
  gauge(
    'pool_server_weight',
    'pool.{pool}.{server}.weight',
    'Its weight, as its check says or the site file.',
    SERVER,
    perServer(({ effective }) => effective),
  ),
  gauge(
    'pool_server_active',
    'pool.{pool}.{server}.active',
    'Requests that it has in hand.',
    SERVER,
    perServer(({ active }) => active),
  ),
  counter(
    'pool_server_connections_opened',
    'pool.{pool}.{server}.opened',
    'Connections made to it, or tried, since this server process began.',
    SERVER,
    perServer(({ connections }) => connections?.opened ?? 0),
  ),
  counter(
    'pool_server_connections_reused',
    'pool.{pool}.{server}.reused',
    'Requests that went to it over a connection that was there already.',
    SERVER,
    perServer(({ connections }) => connections?.reused ?? 0),
  ),
  counter(
    'pool_server_checks',
    'pool.{pool}.{server}.checks',
    'How often it was checked, since this generation began.',
    SERVER,
    perServer(({ checks }) => checks),
  ),
  counter(
    'pool_server_check_failures',
    'pool.{pool}.{server}.check_failures',
    'And how often it was not well.',
    SERVER,
    perServer(({ failures }) => failures),
  ),
  gauge(
    'pool_server_check_seconds',
    'pool.{pool}.{server}.check',
    'How long its last check took.',
    SERVER,
    perServer(({ lastMs }) => lastMs / 1000),
  ),
]

function perCountedPool(value: Of<PoolCounts, number>): PlainMetric['read'] {
  return ({ poolCounts = {} }) =>
    Object.entries(poolCounts).map(([pool, counts]) => ({ labels: [pool], value: value(counts) }))
}

/** What pools do that retry, leave out, hedge or queue: by name, what it means, where it is. */
const COUNTED: readonly (readonly [string, string, Of<PoolCounts, number>])[] = [
  ['requests', 'Requests to a pool that retries, leaves out, hedges or queues.', (c) => c.requests],
  ['failed', 'Those that it could not answer, after all retries.', (c) => c.failed],
  ['retries', 'Requests that were sent to another server.', (c) => c.retries],
  ['retries_refused', 'Retries that its budget forbade.', (c) => c.retriesRefused],
  ['hedges', 'Requests that were sent to a second server because they were late.', (c) => c.hedges],
  ['hedges_won', 'And how often that one was first.', (c) => c.hedgesWon],
  ['left_out', 'How often a server was left out because it failed.', (c) => c.leftOut],
  ['turned_away', 'Requests that its breaker did not let in.', (c) => c.turnedAway],
  ['queued', 'Requests that had to wait for a place.', (c) => c.queued],
  ['queue_full', 'Requests that found its queue full.', (c) => c.queueFull],
  ['queue_late', 'Requests that waited in vain.', (c) => c.queueLate],
  ['queue_wait_seconds', 'How long they all have waited.', (c) => c.queuedMs / 1000],
]

const POOL = ['pool']
const POOL_COUNTS: readonly Metric[] = [
  ...COUNTED.map(([name, help, value]) =>
    counter(`pool_${name}`, `pool.{pool}.${name}`, help, POOL, perCountedPool(value)),
  ),
  gauge(
    'pool_waiting',
    'pool.{pool}.waiting',
    'Requests that wait for a place now.',
    POOL,
    perCountedPool(({ waiting }) => waiting),
  ),
  gauge(
    'pool_servers_resting',
    'pool.{pool}.resting',
    'Servers that are left out now because they failed.',
    POOL,
    perCountedPool(({ resting }) => resting.length),
  ),
  gauge(
    'pool_open',
    'pool.{pool}.open',
    'Whether its breaker turns visitors away now.',
    POOL,
    perCountedPool(({ open }) => (open ? 1 : 0)),
  ),
]

export const METRICS: readonly Metric[] = [
  ...SITE,
  ...TLS,
  ...CERTIFICATES,
  ...APPS,
  ...WORKERS,
  ...ROUTES,
  ...STREAMS,
  ...POOLS,
  ...POOL_COUNTS,
  ...BACKGROUND,
  ...COMMONS,
  ...JOBS,
]
