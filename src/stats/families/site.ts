/** Figures of the whole site: generations, the server, its visitors and their bytes. */

import { counter, gauge, type Metric, whole } from '../metric.ts'
import { HTTP2 } from './http2.ts'

export const SITE: readonly Metric[] = [
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
  ...HTTP2,
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
