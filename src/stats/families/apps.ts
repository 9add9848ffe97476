/** Figures of each application. */
import type { Histogram } from '../../request/histogram.ts'
import type { AppStatus, SiteStatus } from '../../supervisor/status.ts'
import { countOf } from '../histograms.ts'
import { counter, gauge, type Metric, type Of, type Sample, times } from '../metric.ts'

function perApp<Value>(value: Of<AppStatus, Value>): (status: SiteStatus) => Sample<Value>[] {
  return ({ apps }) =>
    Object.entries(apps).map(([name, app]) => ({ labels: [name], value: value(app) }))
}

/** With those that did not have to wait, which are not noted one by one. */
function queueTimes({ waited, served }: AppStatus): Histogram {
  const [first = 0, ...rest] = waited.counts
  const atOnce = Math.max(0, countOf(served) - countOf(waited))
  return { sumMs: waited.sumMs, counts: [first + atOnce, ...rest] }
}

const APP = ['app']
export const APPS: readonly Metric[] = [
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
