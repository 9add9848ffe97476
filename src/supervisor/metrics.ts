/** The status as OpenMetrics text (https://openmetrics.io, specification 1.0). */
import type { SiteStatus } from './status.ts'

export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]
type Kind = 'counter' | 'gauge' | 'info'

/** `name` without the suffix that a counter's (`_total`) or an info's (`_info`) samples carry. */
function family(name: string, kind: Kind, help: string, samples: readonly Sample[]): string {
  const suffix = kind === 'counter' ? '_total' : kind === 'info' ? '_info' : ''
  const unit = /_(seconds|bytes)$/.exec(name)?.[1]
  const head = [`# TYPE ${name} ${kind}`, ...(unit ? [`# UNIT ${name} ${unit}`] : [])]
  const lines = samples.map(([labels, value]) => `${name}${suffix}${renderLabels(labels)} ${value}`)
  return [...head, `# HELP ${name} ${help}`, ...lines, ''].join('\n')
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

/** Everything that `status` counts; ends with `# EOF` as the specification demands. */
export function renderMetrics(status: SiteStatus): string {
  const { totals } = status
  const plain = (value: number): Sample[] => [[{}, value]]
  const perApp = (value: (app: SiteStatus['apps'][string]) => number): Sample[] =>
    Object.entries(status.apps).map(([name, app]) => [{ app: name }, value(app)])
  return [
    family('portico_build', 'info', 'The running version.', [[{ version: status.version }, 1]]),
    family('portico_uptime_seconds', 'gauge', 'Since the start.', plain(status.uptimeMs / 1000)),
    family('portico_generation', 'gauge', 'Generation that serves.', plain(status.generation)),
    family(
      'portico_generations_draining',
      'gauge',
      'Generations that finish what they have.',
      plain(status.draining.length),
    ),
    family('portico_reloads', 'counter', 'Reloads by result.', [
      [{ result: 'succeeded' }, status.reloads.succeeded],
      [{ result: 'failed' }, status.reloads.failed],
    ]),
    family(
      'portico_server_restarts',
      'counter',
      'Server processes that died and were replaced, in this generation.',
      plain(status.server.restarts),
    ),
    family('portico_server_threads', 'gauge', 'Threads that serve.', plain(status.server.threads)),
    family(
      'portico_server_resident_memory_bytes',
      'gauge',
      'Memory of the server processes.',
      plain(totals.memory.rss),
    ),
    family(
      'portico_connections',
      'gauge',
      'Open connections of visitors.',
      plain(totals.connections.open),
    ),
    family(
      'portico_connections_accepted',
      'counter',
      'Connections accepted.',
      plain(totals.connections.accepted),
    ),
    family('portico_requests', 'counter', 'Requests begun.', plain(totals.requests.total)),
    family('portico_requests_active', 'gauge', 'Requests in hand.', plain(totals.requests.active)),
    family(
      'portico_answers',
      'counter',
      'Answers by class of status.',
      Object.entries(totals.answers).map(([name, count]) => [{ class: name }, count]),
    ),
    family(
      'portico_received_bytes',
      'counter',
      'Bytes from visitors.',
      plain(totals.bytes.received),
    ),
    family('portico_sent_bytes', 'counter', 'Bytes to visitors.', plain(totals.bytes.sent)),
    family(
      'portico_app_up',
      'gauge',
      '1: the application is loaded.',
      perApp((app) => (app.state === 'running' ? 1 : 0)),
    ),
    family(
      'portico_app_requests',
      'counter',
      'Requests to the application, in this generation.',
      perApp((app) => app.requests),
    ),
    family(
      'portico_app_errors',
      'counter',
      'Requests that the application failed, in this generation.',
      perApp((app) => app.errors),
    ),
    family(
      'portico_app_waiting',
      'gauge',
      'Requests that wait for a worker.',
      perApp((app) => app.waiting),
    ),
    family(
      'portico_app_busy',
      'gauge',
      'Workers with a request in hand.',
      perApp((app) => app.busy),
    ),
    family(
      'portico_app_workers',
      'gauge',
      'Workers with a link to the server.',
      perApp((app) => app.connected),
    ),
    family(
      'portico_app_restarts',
      'counter',
      'Workers and warm parents that died and were replaced, in this generation.',
      perApp((app) => app.restarts),
    ),
    '# EOF\n',
  ].join('')
}
