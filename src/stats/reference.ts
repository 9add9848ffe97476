/** docs/metrics.md, made from the declaration of the metrics. */
import { BOUNDS_MS } from '../request/histogram.ts'
import { RESTART_REASONS } from '../supervisor/restarts.ts'
import type { Metric } from './metric.ts'
import { METRICS } from './metrics.ts'
import { unitOf } from './openmetrics.ts'

export function metricsMarkdown(): string {
  const rows = METRICS.map((metric) => {
    const cells = [
      `\`${metric.name}\``,
      metric.kind,
      metric.labels.map((label) => `\`${label}\``).join(', '),
      metric.statsd === '' ? '' : `\`${metric.statsd}\``,
      [metric.help, showUnit(metric)].filter(Boolean).join(' '),
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    BEGINNING,
    '| OpenMetrics family | kind | labels | StatsD, behind the prefix | |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    `Buckets of histograms, in seconds: ${BOUNDS_MS.map((ms) => ms / 1000).join(', ')} and beyond.`,
    '',
    `Reasons of restarts: ${RESTART_REASONS.map((reason) => `\`${reason}\``).join(', ')}.`,
    '',
    ENDING,
  ].join('\n')
}

/** StatsD takes times in ms; everything else has the unit of its family. */
function showUnit(metric: Metric): string {
  const unit = unitOf(metric)
  if (unit === '') return ''
  return metric.kind === 'histogram' ? 'In seconds; for StatsD in ms.' : `In ${unit}.`
}

const BEGINNING = `# Metrics

What a running site tells of itself. All counts are of all server threads together, and those of applications
and routes survive reloads; what the site file no longer has is forgotten.

- **OpenMetrics**: \`portico status --metrics\`, \`GET /metrics\` on the admin socket, or a route with
  \`{ metrics: true }\`, which any scraper reads over HTTP. It says much about a site, so give it a host or a
  listener of its own that only your monitors reach:

\`\`\`yaml
listen: [":8080", "127.0.0.1:9180"]
hosts:
  monitor.internal: { /metrics: { metrics: true } }
\`\`\`

- **StatsD**: \`stats: { statsd: "udp://127.0.0.1:8125", prefix: portico, every: 10s }\`. Counters are told as
  what came since the last time, histograms as one timing a bucket with the sample rate that says how many it
  stands for. With \`tags: dogstatsd\` the parts in braces are tags instead. In names, what is no letter, digit
  or \`-\` becomes \`_\`: \`/static/\` is \`static\`, \`/\` is \`root\`, the host \`*\` is \`any\`, an empty label \`none\`.
- **uWSGI's stats JSON**: \`stats: { uwsgi: "127.0.0.1:1717" }\`, for uwsgitop and every exporter that reads it;
  over HTTP as well (uWSGI's \`stats-http\`) for whoever asks with a GET.
- \`portico status --watch\` shows it live, \`portico status --requests\` what is in hand at this moment.

Samples of counters end in \`_total\`, of infos in \`_info\`, of histograms in \`_bucket\`, \`_count\` and \`_sum\`.
`

const ENDING = `This page is made by \`portico docs --write docs\`.
`
