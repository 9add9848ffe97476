/**
 * Every setting of a site file, once: its type, its default, its rule and its sentence. Validation,
 * TypeScript's types, docs/site-file.md and the JSON Schema for editors all derive from here.
 */
import { z } from 'zod'
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
  numberOf,
  type OptionalSize,
  optionalSize,
  type RequiredText,
  requiredText,
  type Section,
  type Size,
  section,
  size,
  type Text,
  type TextMap,
  type Texts,
  text,
  textMap,
  texts,
} from './setting-types.ts'

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
const NAME_FORM = 'a name of letters, digits, - _ and .'
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const VARIABLE = /^[^=\0]+$/
const YEAR = 365 * 86_400_000

// ── listen ───────────────────────────────────────────────────────────────────────────────────────

const listener = {
  on: requiredText(
    'The address: `:8080`, `127.0.0.1:8080`, `[::1]:8080` or `unix:/run/site.sock`. Without a host: every interface, IPv4 and IPv6.',
    'an address such as ":8080"',
  ) as RequiredText,
  backlog: count(
    511,
    1,
    65_535,
    'Connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.',
  ) as Count,
}

type Listener = z.ZodUnion<readonly [z.ZodString, z.ZodNumber, Mapping<typeof listener>]>

function listeners(
  sentence: string,
): z.ZodOptional<z.ZodUnion<readonly [Listener, z.ZodArray<Listener>]>> {
  const error = 'an address such as ":8080", or a list of them'
  const one: Listener = z.union([z.string(), z.number(), mapping(listener)], { error })
  return z
    .union([one, z.array(one, { error })], { error })
    .optional()
    .register(z.globalRegistry, {
      title: 'address or list',
      description: sentence,
    })
}

// ── handlers ─────────────────────────────────────────────────────────────────────────────────────

const common = {
  body: optionalSize(
    'Largest request body here; 0: no limit. Default: `limits.body`.',
  ) as OptionalSize,
}

type Handler<Shape extends z.ZodRawShape> = Mapping<Shape & typeof common>

function handler<Shape extends z.ZodRawShape>(
  shape: Shape,
  id: string,
  sentence: string,
): Handler<Shape> {
  return mapping({ ...shape, ...common }).register(z.globalRegistry, { id, description: sentence })
}

const files = {
  files: requiredText(
    'The folder to serve, relative to this site file.',
    'a folder',
  ) as RequiredText,
  index: texts(
    ['index.html'],
    'What answers for a folder: the first of these that is there.',
    'a file name',
  ) as Texts,
  cache: durationOrZero(
    '0',
    'How long browsers and caches may keep a file unasked (`Cache-Control: max-age`); 0: no such header, they revalidate.',
    10 * YEAR,
  ) as Duration,
  fallback: text(
    '',
    'A file in the folder that answers for what is not found, for single-page applications.',
    'a file name',
  ) as Text,
  list: flag(false, 'Show a folder without an index as a page.') as Flag,
  precompressed: flag(
    true,
    'Send `page.html.br`, `.zst` or `.gz` in place of `page.html` to who accepts it.',
  ) as Flag,
}

const app = {
  app: requiredText(
    'The name of an application in `apps`.',
    'the name of an application',
  ) as RequiredText,
}

const target = {
  to: requiredText(
    '`host:port`, `http://host:port` or `unix:/run/app.sock`.',
    'an address such as "10.0.0.1:80"',
  ) as RequiredText,
  weight: count(1, 1, 1000, 'Its share of the requests, relative to the other servers.') as Count,
}

type Upstreams = z.ZodUnion<readonly [z.ZodString, z.ZodArray<z.ZodString>]>

function upstreams(sentence: string): Upstreams {
  const error = 'the name of a pool, an address, or a list of addresses'
  return z
    .union([z.string(), z.array(z.string({ error }), { error }).min(1, { error })], { error })
    .register(z.globalRegistry, { title: 'pool, address or list', description: sentence })
}

const proxy = {
  proxy: upstreams(
    'The name of a pool in `pools`, an address such as `10.0.0.1:80`, `http://10.0.0.1:80` or `unix:/run/app.sock`, or a list of addresses.',
  ) as Upstreams,
}

const redirect = {
  redirect: requiredText(
    'Where to: a path or a URL. `$path`, `$query` and `$host` are the request’s; `$1` … `$9` are the groups of a regular expression.',
    'a path or a URL',
  ) as RequiredText,
  status: numberOf(
    302,
    [301, 302, 303, 307, 308],
    'Permanent are 301 and 308: browsers keep them for good, so the default is the temporary 302. 307 and 308 keep the method.',
  ) as Count,
}

type Body = z.ZodString

const respond = {
  respond: z
    .string({ error: 'the text to answer with' })
    .register(z.globalRegistry, { title: 'text', description: 'The text to answer with.' }) as Body,
  status: count(200, 200, 599, 'The status of the answer.') as Count,
  type: text(
    'text/plain; charset=utf-8',
    'Its `Content-Type`.',
    'a media type such as text/html',
    /^[^\s/]+\/[^\s/]+.*$/,
  ) as Text,
  headers: textMap('More header fields.', FIELD_NAME, 'the name of a header field') as TextMap,
}

type AnyHandler = z.ZodUnion<
  readonly [
    Handler<typeof files>,
    Handler<typeof app>,
    Handler<typeof proxy>,
    Handler<typeof redirect>,
    Handler<typeof respond>,
  ]
>

const HANDLER_FORM = 'a mapping with one of files, app, proxy, redirect, respond'

function handlers(): AnyHandler {
  return z
    .union(
      [
        handler(files, 'files', 'Serves the files of a folder.'),
        handler(app, 'app', 'Hands requests to an application.'),
        handler(proxy, 'proxy', 'Passes requests on to other servers.'),
        handler(redirect, 'redirect', 'Sends visitors elsewhere.'),
        handler(respond, 'respond', 'Answers with a fixed text.'),
      ],
      { error: HANDLER_FORM },
    )
    .register(z.globalRegistry, { id: 'handler' })
}

const anyHandler: AnyHandler = handlers()

type Routes = z.ZodRecord<z.ZodString, AnyHandler>

function routeMap(): Routes {
  return z.record(
    z.string().regex(/^[/~]/, {
      error: 'a path that begins with /, or a regular expression that begins with ~',
    }),
    anyHandler,
    { error: 'a mapping of paths to handlers' },
  )
}

// ── applications ─────────────────────────────────────────────────────────────────────────────────

const python = {
  python: requiredText(
    'The WSGI callable as `module:callable`; `module` alone means the callable `application`.',
    'module:callable, such as "shop.wsgi:application"',
    /^(?!.*\.py(:|$))[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?$/,
  ) as RequiredText,
  dir: text(
    '.',
    'The folder of the application: first on `sys.path`, and its working directory. Relative to this site file.',
    'a folder',
  ) as Text,
  interpreter: text(
    '',
    'The Python to run: a path, or a name to look up in PATH. Default: the virtual environment’s, else `python3`.',
    'a path or a name such as python3.12',
  ) as Text,
  venv: text(
    '',
    'The folder of a virtual environment. Default: `.venv` or `venv` in `dir`, where there is one.',
    'a folder',
  ) as Text,
  env: textMap(
    'Environment variables for the application, on top of Portico’s own.',
    VARIABLE,
    'the name of a variable',
  ) as TextMap,
  workers: autoCount(
    4096,
    'Processes that run requests. `auto`: WEB_CONCURRENCY where it is set, else one a core.',
  ) as AutoCount,
  threads: count(1, 1, 1024, 'Requests that one worker runs at a time, each in a thread.') as Count,
  deadline: durationOrZero(
    '60s',
    'Longest a request may run. Then its traceback is logged, the visitor gets 504 and the worker is replaced. 0: no limit.',
  ) as Duration,
  'start-timeout': duration('60s', 'Longest the import of the application may take.') as Duration,
  queue: count(
    1024,
    0,
    1_000_000,
    'Requests that may wait for a worker, in each server thread; the next gets 503.',
  ) as Count,
}

// ── pools ────────────────────────────────────────────────────────────────────────────────────────

type Server = z.ZodUnion<readonly [z.ZodString, Mapping<typeof target>]>
type Servers = z.ZodArray<Server>

function servers(sentence: string): Servers {
  const error = 'an address such as "10.0.0.1:80", or a mapping with to and weight'
  return z
    .array(z.union([z.string(), mapping(target)], { error }), { error: 'a list of servers' })
    .min(1, { error: 'at least one server' })
    .register(z.globalRegistry, { title: 'list of addresses', description: sentence })
}

const pool = {
  servers: servers('Where requests go: addresses, or mappings with `to` and `weight`.') as Servers,
  schedule: choice(
    'round-robin',
    ['round-robin'],
    'Which server is next. `round-robin`: each in turn, by weight.',
  ) as Choice<'round-robin'>,
  'connect-timeout': duration('5s', 'Longest a connection may take to be made.') as Duration,
  'response-timeout': duration(
    '60s',
    'Longest wait for the head of an answer, and between two reads of its body.',
  ) as Duration,
  'keep-alive': count(
    32,
    0,
    100_000,
    'Idle connections kept for the next request, per server and server thread.',
  ) as Count,
  'keep-alive-timeout': duration(
    '4s',
    'How long an idle one is kept. Shorter than the 5s after which Node servers close theirs, so that no request meets a closing connection; raise it for servers that wait longer.',
  ) as Duration,
  'preserve-host': flag(
    true,
    'Pass the visitor’s `Host` on; false: the server’s own address.',
  ) as Flag,
}

// ── the whole site ───────────────────────────────────────────────────────────────────────────────

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
  send: duration('60s', 'Without progress while an answer is being sent.') as Duration,
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

function appType(): Mapping<typeof python> {
  return mapping(python).register(z.globalRegistry, {
    id: 'python',
    description: 'A Python application, over WSGI.',
  })
}

function poolType(): Mapping<typeof pool> {
  return mapping(pool).register(z.globalRegistry, {
    id: 'pool',
    description: 'Servers that share the requests of a `proxy`.',
  })
}

const whole = {
  listen: listeners(
    'Where visitors connect: an address or a list; `{ on: address, backlog: 511 }` for more. Default: `:8080`, or the port in the variable PORT.',
  ) as ReturnType<typeof listeners>,
  hosts: hostMap(
    'Host name to path to handler. A name is exact (`www.example.com`), a wildcard (`*.example.com`) or `*` for any; the most specific wins. A path that ends in `/` is a prefix, one that does not is exact, `~` begins a regular expression; the longest wins and order never matters.',
  ) as Named<Routes>,
  routes: routeMap().prefault({}).register(z.globalRegistry, {
    description: 'Path to handler for any host: the short form of `hosts: { "*": … }`.',
  }) as z.ZodPrefault<Routes>,
  apps: named(appType(), 'Applications by name.', 'a mapping of names to applications') as Named<
    Mapping<typeof python>
  >,
  pools: named(poolType(), 'Groups of servers by name.', 'a mapping of names to pools') as Named<
    Mapping<typeof pool>
  >,
  threads: autoCount(1024, 'Server threads. `auto`: one a core.') as AutoCount,
  limits: section(limits, 'Bounds on what a visitor may send.') as Section<typeof limits>,
  timeouts: section(timeouts, 'Bounds on how long things may take.') as Section<typeof timeouts>,
  log: section(log, 'The access log. Everything else goes to stderr.') as Section<typeof log>,
  admin: text(
    '',
    'The admin socket, for `portico status`, `reload` and `stop`. Default: a path of the site’s own in $XDG_RUNTIME_DIR, in /run/portico for root, or in a private folder among the temporary files.',
    'a path',
  ) as Text,
  pid: text('', 'A file for the process id.', 'a path') as Text,
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
export type HandlerSettings = z.output<AnyHandler>

export type AppSettings = z.output<Mapping<typeof python>>
export type PoolSettings = z.output<Mapping<typeof pool>>
export type ListenSettings = z.output<Listener>

/** The pool that a `proxy:` with addresses in it stands for. */
export function anonymousPool(addresses: readonly string[]): PoolSettings {
  return poolType().parse({ servers: [...addresses] })
}

/** The schema, for validation and for documentation. */
export function siteSchema(): z.ZodType<Settings, SiteFile> {
  return site
}

const WSGI_ONLY = 'this version runs Python over WSGI only'
const HTTP_ONLY = 'this version serves http only'

const notYetHandlers: Readonly<Record<string, string>> = {
  cgi: WSGI_ONLY,
  php: WSGI_ONLY,
  uwsgi: 'this version proxies over http only',
  fastcgi: 'this version proxies over http only',
  limit: 'this version has no rate limits',
  auth: 'this version has no access control',
  rewrite: 'this version rewrites no paths',
}

/**
 * Keys that people reasonably expect and this version does not have, with what to say about each; by
 * the top-level key that they are below.
 */
export const notYet: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  listen: { certificate: HTTP_ONLY, key: HTTP_ONLY, tls: HTTP_ONLY },
  hosts: notYetHandlers,
  routes: notYetHandlers,
  apps: {
    php: WSGI_ONLY,
    node: WSGI_ONLY,
    ruby: WSGI_ONLY,
    perl: WSGI_ONLY,
    cgi: WSGI_ONLY,
    mode: WSGI_ONLY,
    asgi: WSGI_ONLY,
  },
  pools: {
    check: 'this version has no health checks',
    sticky: 'this version has no sticky sessions',
    sorry: 'this version has no standby servers',
  },
}
