/** `stats:` → where figures are told. */
import { parseListen, parseTarget } from './address.ts'
import { resolveSocket } from './draw-listeners.ts'
import type { Drawing } from './drawing.ts'
import type { Address, StatsdPlan, StatsPlan } from './plan.ts'

const UWSGI_FORMS = '127.0.0.1:1717, :1717 or unix:/run/stats.sock'
const STATSD_FORMS = 'udp://127.0.0.1:8125'
const STATSD_PORT = 8125

export function drawStats(drawing: Drawing): StatsPlan {
  return { uwsgi: drawUwsgi(drawing), statsd: drawStatsd(drawing) }
}

function drawUwsgi(drawing: Drawing): Address | null {
  const text = drawing.settings.stats.uwsgi
  const path = ['stats', 'uwsgi']
  if (text === '') return null
  // uWSGI takes a plain path for a socket's.
  const parsed = parseListen(text.startsWith('/') ? `unix:${text}` : text)
  if ('wrong' in parsed || text.includes('://')) {
    const wrong = 'wrong' in parsed ? parsed.wrong : 'this address has a scheme'
    drawing.report.problem(path, wrong, { expected: UWSGI_FORMS })
    return null
  }
  return resolveSocket(drawing, path, parsed.address)
}

function drawStatsd({ settings, report }: Drawing): StatsdPlan | null {
  const { statsd, prefix, every, tags } = settings.stats
  if (statsd === '') return null
  const plain = statsd.replace(/^udp:\/\//, '')
  const parsed = parseTarget(
    /(^|[^:]):\d+$|\]:\d+$/.test(plain) ? plain : `${plain}:${STATSD_PORT}`,
  )
  if ('wrong' in parsed || parsed.scheme !== 'http' || parsed.address.kind !== 'tcp') {
    const wrong = 'wrong' in parsed ? parsed.wrong : 'StatsD is spoken over UDP'
    report.problem(['stats', 'statsd'], wrong, { expected: STATSD_FORMS })
    return null
  }
  const { host, port } = parsed.address
  return { host, port, prefix, everyMs: every, tagged: tags === 'dogstatsd' }
}
