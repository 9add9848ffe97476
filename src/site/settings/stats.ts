/** `stats:` in the site file: figures for monitors that ask for them elsewhere than on the admin socket. */
import {
  type Choice,
  choice,
  type Duration,
  duration,
  type Section,
  section,
  type Text,
  text,
} from '../setting-types.ts'

const stats = {
  uwsgi: text(
    '',
    'A socket that tells uWSGI’s stats JSON to whoever connects, and over HTTP to whoever asks with a GET: `127.0.0.1:1717`, `:1717` or `unix:/run/stats.sock`. uwsgitop and exporters read it as they are. It shows paths and addresses of visitors: keep strangers away.',
    'an address',
  ) as Text,
  statsd: text(
    '',
    'A StatsD server that gets the figures of docs/metrics.md: `udp://127.0.0.1:8125`.',
    'an address',
  ) as Text,
  prefix: text(
    'portico',
    'What the names of figures begin with at the StatsD server.',
    'a name such as portico or shop.web1',
    /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
  ) as Text,
  every: duration('10s', 'How often the StatsD server is told.') as Duration,
  tags: choice(
    'none',
    ['none', 'dogstatsd'],
    'How the StatsD server is told of which application and route a figure is: as parts of its name, or as tags, which Datadog’s agent, Telegraf and statsd_exporter know.',
  ) as Choice<'none' | 'dogstatsd'>,
}

export type StatsType = Section<typeof stats>

export function statsType(): StatsType {
  return section(stats, 'Figures for monitors; `portico status --metrics` has them, too.')
}
