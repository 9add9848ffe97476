/** What runs beside requests, and what applications share. */

import { basename, extname } from 'node:path'
import { showDuration, showSize } from '../../../site/units.ts'
import type { Value } from '../../tree-builder.ts'
import type { Draft } from '../draft.ts'
import type { Option } from '../option.ts'
import { type Declaration, mapped, needless, unsupported } from '../rule.ts'

const HOOK = 'run it before or after: ExecStartPre= and ExecStopPost= of the service manager'

/** How many have written die-on-term. */
export const STOPS_ON_TERM: RegExp = /^unix_signal:15 gracefully_kill_them_all$/

/** `name=value,name=value`, uWSGI's key-value lists. */
export function pairs(text: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of text.split(',')) {
    const equals = part.indexOf('=')
    if (equals > 0) found.set(part.slice(0, equals).trim(), part.slice(equals + 1).trim())
    else if (part.trim() !== '') found.set(part.trim(), '')
  }
  return found
}

/** Least and most of each field of a cron. */
const BOUNDS = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const

/** -1 is every, -5 is what five divides; a step of crontab(5) counts from the least. */
function field(number: number, at: number): string {
  if (number === -1) return '*'
  if (number >= 0) return String(number)
  const [least, most] = BOUNDS[at]!
  return least === 0 ? `*/${-number}` : `${Math.min(-number, most)}-${most}/${-number}`
}

function cron(draft: Draft, option: Option, overlap: 'skip' | 'allow'): void {
  const match = /^((?:-?\d+\s+){5})(.+)$/s.exec(option.value.trim())
  if (match === null) {
    draft.problem(option, 'not a cron', { expected: 'minute hour day month weekday command' })
    return
  }
  const at = match[1]!
    .trim()
    .split(/\s+/)
    .map((each, position) => field(Number(each), position))
  draft.add(['cron'], { at: at.join(' '), run: match[2]!, overlap, dir: draft.folder }, option)
}

/** `minute=30,hour=4,unique=1 command` */
function cron2(draft: Draft, option: Option): void {
  const match = /^(\S+=\S*)\s+(.+)$/s.exec(option.value.trim())
  const facts = pairs(match?.[1] ?? '')
  const run = match?.[2] ?? option.value.trim()
  const keys = ['minute', 'hour', 'day', 'month', 'week']
  const at = keys.map((key, position) => {
    const text = facts.get(key) ?? '-1'
    // Ranges and lists mean in both what they mean in crontab(5).
    return /^-\d+$/.test(text) ? field(Number(text), position) : text
  })
  const seconds = Number(facts.get('harakiri') ?? '0')
  draft.add(
    ['cron'],
    {
      at: at.join(' '),
      run,
      overlap: facts.get('unique') === '1' ? 'skip' : 'allow',
      dir: draft.folder,
      ...(seconds > 0 ? { timeout: showDuration(seconds * 1000) } : {}),
    },
    option,
  )
}

const INTERPRETER = /^(-.*|python[\d.]*|php[\d.]*|perl|ruby|node|ba?sh|env|exec)$/

function daemon(draft: Draft, option: Option, command: string): void {
  const words = command.trim().split(/\s+/)
  // Of `python3 manage.py qcluster` the second word says more than the first.
  const word = words.find((each) => !INTERPRETER.test(basename(each))) ?? words[0] ?? ''
  const stem =
    basename(word, extname(word))
      .replace(/[^A-Za-z0-9_-]/g, '-')
      .replace(/^-+/, '') || 'daemon'
  let name = stem
  for (let count = 2; draft.tree.has(['daemons', name]); count++) name = `${stem}-${count}`
  draft.set(['daemons', name], { run: command, dir: draft.folder }, option)
}

/** Waits for messages, and does what decorators have for its number. */
export const PLAIN_MULE: string = 'uwsgidecorators:serve_mule'

/** In the order of the options: mules have numbers. */
function mules(draft: Draft, option: Option): void {
  const targets = draft.all('mule', 'mules').flatMap((each): string[] => {
    if (each.name === 'mules') return Array(Math.min(draft.number(each), 1000)).fill(PLAIN_MULE)
    if (each.value === '' || each.value === 'true') return [PLAIN_MULE]
    const isFunction = /^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(\(\))?$/.test(each.value)
    if (isFunction && !each.value.includes('.py:')) return [each.value.replace(/\(\)$/, '')]
    draft.leave(each, 'put its code into a function of the application: mule = module:function')
    return []
  })
  if (targets.length > 0) draft.setApp(['mules'], targets, option)
}

/** All folders' tasks are done by the same processes. */
function spooler(draft: Draft, option: Option): void {
  const folders = draft.all('spooler', 'spooler-external').length
  const set = (key: string, value: Value, why: Option): void =>
    draft.setApp(['jobs', key], value, why)
  const each = draft.count('spooler-processes') || 1
  set('workers', Math.min(1000, folders * each), option)
  const harakiri = draft.count('spooler-harakiri')
  set('deadline', harakiri > 0 ? showDuration(harakiri * 1000) : 0, option)
  const most = draft.count('spooler-max-tasks')
  if (most > 0) set('recycle', most, option)
}

function touch(draft: Draft, option: Option): void {
  draft.add(['touch'], draft.inFolder(option.value), option)
}

/** The applications alone. */
function touchApps(draft: Draft, option: Option): void {
  const same = draft.all('touch-workers-reload', 'touch-chain-reload')
  const files = same.map(({ value }) => draft.inFolder(value))
  draft.setApp(['reload', 'touch'], files, option)
  if (option.name === 'touch-chain-reload') draft.setApp(['reload', 'rolling'], true, option)
}

/** `file command` */
function touchExec(draft: Draft, option: Option): void {
  const [, file = '', run = ''] = /^(\S+)\s+(.+)$/.exec(option.value) ?? []
  if (run === '') draft.problem(option, 'no command', { expected: `${option.name} = file command` })
  else draft.add(['watch'], { files: draft.inFolder(file), run, dir: draft.folder }, option)
}

function cacheSize(draft: Draft, option: Option): void {
  const facts = pairs(option.value)
  const items = Number(facts.get('items') ?? facts.get('max_items') ?? facts.get('maxitems') ?? '0')
  const block = Number(facts.get('blocksize') ?? '65536')
  const blocks = Number(facts.get('blocks') ?? items)
  const bytes = Math.min(64 * 1024 ** 3, Math.max(64 * 1024 ** 2, blocks * block || 0))
  draft.set(['cache', 'size'], showSize(Math.round(bytes)), option)
}

export const work: readonly Declaration[] = [
  mapped('mule mules', 'apps.NAME.mules', mules),
  mapped(
    'spooler spooler-external',
    'apps.NAME.jobs; what waits in the folder stays there',
    spooler,
  ),
  mapped('spooler-processes', 'apps.NAME.jobs.workers'),
  mapped('spooler-harakiri', 'apps.NAME.jobs.deadline'),
  mapped('spooler-max-tasks', 'apps.NAME.jobs.recycle'),
  mapped(
    'spooler-frequency spooler-freq',
    'apps.NAME.options: seconds until a task that was not SPOOL_OK is begun again',
    (draft, option) =>
      draft.setApp(['options', 'spooler-frequency'], String(draft.number(option)), option),
  ),
  needless(
    'spooler-ordered spooler-quiet spooler-chdir',
    'a task begins when it is put, in the application’s folder',
  ),
  mapped('cron', 'cron', (draft, option) => cron(draft, option, 'allow')),
  mapped('unique-cron', 'cron (overlap: skip)', (draft, option) => cron(draft, option, 'skip')),
  mapped('cron2', 'cron', cron2),
  mapped('attach-daemon attach-control-daemon', 'daemons', (draft, option) =>
    daemon(draft, option, option.value),
  ),
  mapped('attach-daemon2', 'daemons', (draft, option) =>
    daemon(
      draft,
      option,
      /(?:^|,)(?:cmd|command|exec)=(.*?)(?:,\w+=|$)/.exec(option.value)?.[1] ?? option.value,
    ),
  ),
  mapped('touch-reload fs-reload fs-brutal-reload', 'touch', touch),
  mapped('touch-workers-reload touch-chain-reload', 'apps.NAME.reload.touch', touchApps),
  mapped('touch-exec', 'watch (run)', touchExec),
  mapped('cache2', 'cache.size; the API is portico.cache', cacheSize),
  mapped('stats stats-server', 'stats.uwsgi', (draft, option) =>
    draft.set(['stats', 'uwsgi'], socketOf(draft, option.value), option),
  ),
  mapped('stats-push', 'stats.statsd', (draft, option) => {
    const [, where = '', prefix = ''] = /^statsd:([^,]+)(?:,(.*))?$/.exec(option.value) ?? []
    if (where === '') return draft.leave(option, 'only StatsD servers are pushed to: stats.statsd')
    draft.set(['stats', 'statsd'], `udp://${where}`, option)
    if (prefix !== '') draft.set(['stats', 'prefix'], prefix, option)
  }),
  mapped('master-fifo', 'fifo', (draft, option) =>
    draft.add(['fifo'], draft.atStart(option.value), option),
  ),
  mapped('hook-master-start', 'signals: TERM stops', (draft, option) => {
    if (!STOPS_ON_TERM.test(option.value)) draft.leave(option, HOOK)
  }),
  mapped('die-on-term', 'signals: TERM stops'),
  needless('stats-http', 'the stats socket speaks HTTP to whoever asks with a GET'),
  needless(
    'stats-minified stats-min stats-no-cores stats-no-metrics stats-pusher-default-freq stats-pushers-default-freq enable-metrics metrics-no-cores',
    'figures are always counted, and told in one form',
  ),
  needless(
    'offload-threads offload-thread',
    'the server’s threads send files and bodies; no worker waits for a visitor',
  ),
  needless(
    'signal-bufsize signals-bufsize mule-msg-size propagate-touch',
    'nothing has to be sized',
  ),
  needless('daemons-honour-stdin cron-harakiri', 'see daemons and cron in the site file'),
  needless(
    'cache-store-sync cache-no-expire cache-expire-freq cache-report-freed-items cache-use-last-modified check-cache',
    'what is expired goes by itself',
  ),
  unsupported(
    'farm mule-harakiri touch-mules-reload touch-spoolers-reload',
    'a mule is reloaded with its application; jobs have queues of their own',
  ),
  unsupported(
    'signal signal-timer timer signal-rbtimer rbtimer touch-signal fs-signal',
    'use timers:, watch: and `from portico import signal`',
  ),
  unsupported('rpc-max', 'use queues and signals of `portico`'),
  unsupported(
    'queue queue-blocksize queue-store queue-store-sync',
    'use `from portico import queue`',
  ),
  unsupported('sharedarea', 'use portico.cache, counters and queues'),
  unsupported(
    'cache cache-blocksize cache-store cache-udp-server cache-udp-node cache-sync add-cache-item load-file-in-cache load-file-in-cache-gzip',
    'use cache: { size: … } and portico.cache; memcached clients: cache: { memcached: ADDRESS }',
  ),
  unsupported(
    'smart-attach-daemon smart-attach-daemon2',
    'use daemons: { NAME: { run: … } } with the command that stays in the foreground',
  ),
  unsupported(
    'legion-cron cron-legion unique-legion-cron unique-cron-legion curl-cron',
    'use cron: with get: or run:',
  ),
  unsupported(
    'emperor* early-emperor vassal* vassals* imperial-monitor* heartbeat weight auto-weight',
    'use `portico farm DIR/*.ini`, which serves every configuration of a folder',
  ),
  unsupported(
    'metric metric-threshold metric-alarm alarm-metric metrics-dir metrics-dir-restore metric-dir metric-dir-restore',
    'use `from portico import metrics`; they are told with our own',
  ),
  unsupported(
    'alarm* segfault-alarm backlog-alarm lq-alarm listen-queue-alarm log-alarm not-log-alarm not-alarm-log',
    'let the monitor alarm that reads /metrics',
  ),
  unsupported(
    'carbon* rrdtool* zabbix-template nagios',
    'use stats: { statsd: ADDRESS }, or let Prometheus read `portico status --metrics`',
  ),
  unsupported('hook-* exec-* call-* after-request-hook after-request-call', HOOK),
  unsupported('mount-* umount-* check-mountpoint mountpoint-check check-mount', HOOK),
  unsupported(
    'wait-for-* wait-interface wait-interface-timeout wait-iface wait-iface-timeout wait-for-socket',
    'use After= and Requires= of the service manager, or daemons: { NAME: { ready: … } }',
  ),
  unsupported(
    'flock flock-wait flock2 flock-wait2',
    'a site of the same name cannot be started twice',
  ),
]

/** As `stats.uwsgi` has addresses. */
export function socketOf(draft: Draft, value: string): string {
  if (value.startsWith('@')) return `unix:${value}`
  return value.includes('/') || !/:\d+$/.test(value) ? `unix:${draft.inFolder(value)}` : value
}
