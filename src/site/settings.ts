/**
 * Every setting of a site file, once: its type, its default, its rule and its sentence. Validation,
 * TypeScript's types, docs/site-file.md and the JSON Schema for editors all derive from here and from
 * `settings/`.
 */
import { z } from 'zod'
import { SIGNAL_SETS, type SignalSet } from './plan.ts'
import {
  type AutoCount,
  autoCount,
  type Choice,
  type Count,
  choice,
  count,
  type Duration,
  duration,
  durationOrZero,
  type Flag,
  flag,
  type Mapping,
  mapping,
  type Section,
  type Size,
  section,
  size,
  type Text,
  type Texts,
  text,
  texts,
} from './setting-types.ts'
import { type AppType, appType } from './settings/apps.ts'
import {
  background,
  type CronType,
  type DaemonType,
  daemonType,
  type ListOf,
  type TimerType,
  type WatchType,
} from './settings/background.ts'
import { type CacheType, cacheType } from './settings/cache.ts'
import { type SiteFilters, siteFilters } from './settings/filters.ts'
import { type Routes, routeMap } from './settings/handlers.ts'
import { type Http2Type, http2Type } from './settings/http2.ts'
import { type JobsType, jobsType } from './settings/jobs.ts'
import { siteLifecycle } from './settings/lifecycle.ts'
import { type Listeners, listeners } from './settings/listen.ts'
import { type PoolType, poolType } from './settings/pools.ts'
import { type StatsType, statsType } from './settings/stats.ts'
import { type SiteTls, siteTls } from './settings/tls.ts'
import { type TraceType, traceType } from './settings/trace.ts'

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
const NAME_FORM = 'a name of letters, digits, - _ and .'

const limits = {
  line: size('16KB', 'Longest request line; longer is 414.', 256, 1024 ** 2) as Size,
  head: size('32KB', 'Largest request head; larger is 431.', 1024, 16 * 1024 ** 2) as Size,
  fields: count(100, 1, 10_000, 'Most header fields in a request; more is 431.') as Count,
  body: size(
    '100MB',
    'Largest request body; larger is 413. 0: no limit. A route’s `body` overrides it.',
  ) as Size,
  connections: count(10_000, 1, 10_000_000, 'Most connections, in each server thread.') as Count,
}

const timeouts = {
  head: duration('30s', 'From the first byte of a request head to its last.') as Duration,
  body: duration('60s', 'Between two reads of a request body.') as Duration,
  idle: duration(
    '75s',
    'A kept-alive connection without a request. Longer than the 60s of most load balancers, so that it is they who close.',
  ) as Duration,
  abandon: durationOrZero(
    '1s',
    'How long a request goes on after its visitor has closed the sending side of the connection, as a browser does that leaves the page, and `printf … | nc` does that waits for an answer; 0: not at all.',
  ) as Duration,
  send: duration('60s', 'Without progress while an answer is being sent.') as Duration,
  leave: durationOrZero(
    '0',
    'At a stop: how long `health` routes answer 503 while visitors are still accepted, so that load balancers send nobody any more before the last ones are refused.',
  ) as Duration,
  stop: durationOrZero(
    '30s',
    'Longest that requests may take to finish at a stop or reload; 0: they are cut off.',
  ) as Duration,
}

const log = {
  access: text(
    'stdout',
    'Where the access log goes: `stdout`, `stderr`, `off`, or a file.',
    'stdout, stderr, off, or a file',
    /./,
  ) as Text,
  format: choice(
    'auto',
    ['auto', 'combined', 'json'],
    '`combined` is the format of Apache and nginx. `auto`: json into a pipe, combined otherwise.',
  ) as Choice<'auto' | 'combined' | 'json'>,
}

type Named<T extends z.ZodType> = z.ZodPrefault<z.ZodRecord<z.ZodString, T>>

function named<T extends z.ZodType>(type: T, sentence: string, error: string): Named<T> {
  return z
    .record(z.string().regex(NAME, { error: NAME_FORM }), type, { error })
    .prefault({})
    .register(z.globalRegistry, { description: sentence })
}

function hostMap(sentence: string): Named<Routes> {
  return z
    .record(z.string(), routeMap(), { error: 'a mapping of host names to routes' })
    .prefault({})
    .register(z.globalRegistry, { description: sentence })
}

const whole = {
  listen: listeners(
    'Where visitors connect: an address or a list; `{ on: address, backlog: 511 }` for more. Default: `:8080`, or the port in the variable PORT.',
  ) as Listeners,
  hosts: hostMap(
    'Host name to path to handler. A name is exact (`www.example.com`), a wildcard (`*.example.com`) or `*` for any; the most specific wins. A path that ends in `/` is a prefix, one that does not is exact, `~` begins a regular expression; the longest wins and order never matters.',
  ) as Named<Routes>,
  routes: routeMap().prefault({}).register(z.globalRegistry, {
    description: 'Path to handler for any host: the short form of `hosts: { "*": … }`.',
  }) as z.ZodPrefault<Routes>,
  apps: named(
    appType(),
    'Applications by name.',
    'a mapping of names to applications',
  ) as Named<AppType>,
  pools: named(
    poolType(),
    'Groups of servers by name.',
    'a mapping of names to pools',
  ) as Named<PoolType>,
  filters: siteFilters() as SiteFilters,
  tls: siteTls() as SiteTls,
  trusted: texts(
    [],
    'Networks of proxies in front, such as `10.0.0.0/8`, `fd00::/8` or `unix` for unix sockets, whose X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and Forwarded fields are believed. Others’ are dropped.',
    'a network such as 10.0.0.0/8',
  ) as Texts,
  threads: autoCount(1024, 'Server threads. `auto`: one a core.') as AutoCount,
  limits: section(limits, 'Bounds on what a visitor may send.') as Section<typeof limits>,
  http2: http2Type() as Http2Type,
  timeouts: section(timeouts, 'Bounds on how long things may take.') as Section<typeof timeouts>,
  log: section(log, 'The access log. Everything else goes to stderr.') as Section<typeof log>,
  cron: background.cron as ListOf<CronType>,
  timers: background.timers as ListOf<TimerType>,
  watch: background.watch as ListOf<WatchType>,
  daemons: named(
    daemonType(),
    'Programs that are kept alive beside the site, by name: `{ redis: { run: "redis-server --port 0 --unixsocket redis.sock" } }`.',
    'a mapping of names to daemons',
  ) as Named<DaemonType>,
  state: text(
    '',
    'A folder for what has to outlive the site, such as the last runs of `cron` and jobs that wait. Default: one of the site’s own in /var/lib/portico for root, else in $XDG_STATE_HOME/portico or ~/.local/state/portico.',
    'a folder',
  ) as Text,
  cache: cacheType() as CacheType,
  jobs: jobsType() as JobsType,
  stats: statsType() as StatsType,
  trace: traceType(
    'Give every request an id: W3C `traceparent` is taken over from trusted proxies, or begins here; applications and backends get `traceparent` and `X-Request-Id` (HTTP_TRACEPARENT, HTTP_X_REQUEST_ID), visitors and the JSON log `X-Request-Id`, and lines about the request name it.',
  ) as TraceType,
  admin: text(
    '',
    'The admin socket, for `portico status`, `reload` and `stop`. Default: a path of the site’s own in $XDG_RUNTIME_DIR, in /run/portico for root, or in a private folder among the temporary files.',
    'a path',
  ) as Text,
  pid: text('', 'A file for the process id.', 'a path') as Text,
  signals: choice(
    'portico',
    SIGNAL_SETS,
    'Whose meaning signals have, for scripts that know another server: see docs/dropin.md. `portico`: HUP reloads, TERM, INT and QUIT stop, USR1 opens log files anew.',
  ) as Choice<SignalSet>,
  fifo: texts(
    [],
    'Named pipes that take the letters of uWSGI’s master FIFO: `echo r > fifo` reloads. See docs/dropin.md.',
    'a path',
  ) as Texts,
  user: text(
    '',
    'Run the server and the applications as this user, when started as root.',
    'a user name',
  ) as Text,
  group: text('', 'And as this group. Default: the user’s own.', 'a group name') as Text,
  spool: text(
    '',
    'A folder for request bodies too large for memory. Default: the system’s folder for temporary files.',
    'a folder',
  ) as Text,
  'need-app': siteLifecycle['need-app'] as Flag,
  touch: siteLifecycle.touch as Texts,
  dev: flag(false, 'Show tracebacks to visitors. Never where strangers come.') as Flag,
  server: text('portico', 'The `Server` header field; "" sends none.', 'text') as Text,
  include: texts(
    [],
    'More site files, or patterns such as `sites/*.yaml`, relative to this one. Hosts, applications and pools add up; of other settings, this file’s win.',
    'a file or a pattern',
  ) as Texts,
}

const site: Mapping<typeof whole> = mapping(whole)

/** A site file as a program writes it. */
export type SiteFile = z.input<typeof site>
/** The same with defaults filled in, durations in ms and sizes in bytes. */
export type Settings = z.output<typeof site>
/** The schema, for validation and for documentation. */
export function siteSchema(): z.ZodType<Settings, SiteFile> {
  return site
}

const notYetHandlers: Readonly<Record<string, string>> = {
  php: 'PHP is an application: apps: { blog: { php: ./blog } }, and { app: blog } here',
  uwsgi: 'write { proxy: "uwsgi://host:port" }',
  fastcgi: 'write { proxy: "fastcgi://host:port" }',
  scgi: 'write { proxy: "scgi://host:port" }',
}

/**
 * Keys that people reasonably expect and this version does not have, with what to say about each; by
 * the top-level key that they are below.
 */
export const notYet: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  hosts: notYetHandlers,
  routes: notYetHandlers,
  apps: {
    ruby: 'the key for Ruby is rack',
    perl: 'the key for Perl is psgi',
    cgi: 'CGI programs have a route: routes: { /cgi-bin/: { cgi: ./cgi-bin } }',
    asgi: 'write mode: asgi',
    wsgi: 'the key for Python is python',
  },
}
