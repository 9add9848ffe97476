/** Figures of visitors that speak HTTP/2. */
import type { Http2Numbers } from '../../request/counters.ts'
import { counter, gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

/** Nothing where nobody has spoken it. */
function ofHttp2(value: Of<Http2Numbers, number>): PlainMetric['read'] {
  return ({ totals: { http2 } }) =>
    http2 === undefined ? [] : [{ labels: [], value: value(http2) }]
}

export const HTTP2: readonly Metric[] = [
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
]
