/** Figures of each route. */
import type { RouteDetails } from '../../server/protocol.ts'
import type { SiteStatus } from '../../supervisor/status.ts'
import { counter, gauge, type Metric, type Of, type Sample, times } from '../metric.ts'

function perRoute<Value>(value: Of<RouteDetails, Value>): (status: SiteStatus) => Sample<Value>[] {
  return ({ routes }) =>
    routes.map((route) => ({ labels: [route.host, route.path], value: value(route) }))
}

const ROUTE = ['host', 'route']
export const ROUTES: readonly Metric[] = [
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
