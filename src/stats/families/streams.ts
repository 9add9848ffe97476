/** Figures of listeners without HTTP. */
import type { StreamDetails } from '../../stream/details.ts'
import { counter, gauge, type Metric, type Of, type PlainMetric } from '../metric.ts'

function perStream(value: Of<StreamDetails, number>): PlainMetric['read'] {
  return ({ streams = [] }) =>
    streams.map((one) => ({ labels: [one.listener, one.protocol], value: value(one) }))
}

const STREAM = ['listener', 'protocol']
export const STREAMS: readonly Metric[] = [
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
