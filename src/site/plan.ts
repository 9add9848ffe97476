/**
 * The Plan: a site file with everything resolved. Paths are absolute, durations are milliseconds,
 * sizes are bytes, defaults are filled in. It holds plain data only, so that it can be sent to another
 * process and compared with the Plan before it.
 */

import type { ScalerPlan } from '../supervisor/scaling/scaler.ts'
import type { ProxyVersion } from '../wire/proxy-protocol-writer.ts'
import type { AcmePlan } from './acme-plan.ts'
import type { BackgroundPlan } from './background-plan.ts'
import type { CheckPlan, HooksPlan } from './check-plan.ts'
import type { ErrorsPlan, FiltersPlan } from './filters-plan.ts'
import type { Http2Plan } from './http2-plan.ts'
import type { JobsPlan, JobWorkersPlan } from './jobs-plan.ts'
import type { PersistencePlan } from './persistence-plan.ts'
import type { PoolTlsPlan } from './pool-tls-plan.ts'
import type { ResiliencePlan } from './resilience-plan.ts'
import type { MailPlan, MailScheme, StreamPlan, StreamScheme } from './stream-plan.ts'
import type { SiteTlsPlan, TlsPlan } from './tls-plan.ts'

/** Where a socket listens. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

/** A protocol that visitors, or the web servers in front of us, speak. `puwsgi` is uwsgi, kept alive. */
export type ListenScheme =
  | 'http'
  | 'https'
  | 'uwsgi'
  | 'puwsgi'
  | 'fastcgi'
  | 'scgi'
  | StreamScheme
  | MailScheme
/** A protocol that we speak to backends. */
export type TargetScheme =
  | 'http'
  | 'https'
  | 'h2'
  | 'h2c'
  | 'uwsgi'
  | 'puwsgi'
  | 'fastcgi'
  | 'scgi'
  | 'tcp'
  | 'udp'

export interface ListenerPlan {
  /** As the owner wrote it, for messages. */
  readonly name: string
  readonly scheme: ListenScheme
  /** `host` is `::` (both families) where the owner named none. Port 0 lets the kernel choose. */
  readonly address: Address
  readonly backlog: number
  /** Connections begin with a PROXY protocol header, which names the visitor. */
  readonly proxyProtocol: boolean
  /** Permissions of a unix socket's file; absent: everybody may connect. */
  readonly mode?: number
  /** Of a unix socket's file: `user`, `user:group` or `:group`; absent: as it comes. */
  readonly owner?: string
  /** Of tcp, tls and udp listeners. */
  readonly stream?: StreamPlan
  /** Of imap, pop3 and smtp listeners. */
  readonly mail?: MailPlan
  /** Connections begin with a handshake of TLS, which ends here. */
  readonly tls?: TlsPlan
  /** False: only HTTP/1 is spoken; absent: HTTP/2 as well. */
  readonly http2?: false
}

/** A path that ends in `/` is a prefix, `~…` a regular expression, any other exact. */
export interface RouteMatch {
  readonly kind: 'exact' | 'prefix' | 'regex'
  /** The literal path, or the source of the regular expression without its `~`. */
  readonly path: string
}

export interface FilesPlan {
  readonly kind: 'files'
  /** Absolute folder. */
  readonly root: string
  readonly index: readonly string[]
  /** `Cache-Control: max-age` in seconds; -1: no such header. */
  readonly cacheSeconds: number
  /** File below `root` that answers for what is not found (single-page apps); '' for none. */
  readonly fallback: string
  /** Show a folder without an index as a page. */
  readonly list: boolean
  /** Look for `.br`, `.zst` and `.gz` beside a file. */
  readonly precompressed: boolean
}

/** Folders whose files a backend may have sent (X-Accel-Redirect, X-Sendfile): path → absolute folder. */
export type SendFilesPlan = Readonly<Record<string, string>>

/** How long one request may take, ms; 0: no limit. */
export interface DeadlinesPlan {
  /** Then it is logged with where its worker stands, and goes on. */
  readonly softMs: number
  /** Until its answer begins. */
  readonly hardMs: number
  /** Until a worker takes it. */
  readonly queueMs: number
}

export interface AppHandlerPlan {
  readonly kind: 'app'
  readonly app: string
  /** Of this route; null: the application's. */
  readonly deadlines: DeadlinesPlan | null
  /** Goes to the front of the queue. */
  readonly urgent: boolean
  readonly sendFiles: SendFilesPlan
}

export interface ProxyPlan {
  readonly kind: 'proxy'
  readonly pool: string
  readonly sendFiles: SendFilesPlan
}

export interface CgiPlan {
  readonly kind: 'cgi'
  /** Absolute folder of the programs, or one program. */
  readonly root: string
  /** DOCUMENT_ROOT: an absolute folder. */
  readonly documentRoot: string
  readonly env: Readonly<Record<string, string>>
  readonly index: readonly string[]
  /** Programs that run at a time, in each server thread. */
  readonly concurrency: number
  /** Requests that may wait for one to end, in each server thread. */
  readonly queue: number
  /** Longest without a byte of the answer, ms; 0: no limit. */
  readonly deadlineMs: number
  readonly softDeadlineMs: number
  readonly queueDeadlineMs: number
}

export interface HealthPlan {
  readonly kind: 'health'
  /** Empty: only whether the server itself works. */
  readonly apps: readonly string[]
  /** 503 once the site is being stopped. */
  readonly leave: boolean
}

export interface RedirectPlan {
  readonly kind: 'redirect'
  /** May hold `$path`, `$query`, `$host` and, after a regular expression, `$1` … `$9`. */
  readonly to: string
  readonly status: number
}

export interface RespondPlan {
  readonly kind: 'respond'
  readonly status: number
  readonly body: string
  readonly type: string
  readonly headers: Readonly<Record<string, string>>
}

/** The metrics of the whole site. */
export interface MetricsPlan {
  readonly kind: 'metrics'
}

export type HandlerPlan =
  | FilesPlan
  | AppHandlerPlan
  | ProxyPlan
  | CgiPlan
  | HealthPlan
  | MetricsPlan
  | RedirectPlan
  | RespondPlan

export interface RoutePlan {
  readonly match: RouteMatch
  readonly handler: HandlerPlan
  /** What stands before the handler; absent: nothing. */
  readonly filters?: FiltersPlan
  /** Largest request body in bytes. */
  readonly maxBody: number
  /** `file:line:column` where it was written, for `explain`. */
  readonly source: string
}

/** In a list of hosts: all of them. */
export const WHOLE_SITE = ''

export interface HostPlan {
  /** Lower case, without a port: `www.example.com`, `*.example.com` or `*`. */
  readonly name: string
  readonly routes: readonly RoutePlan[]
  /** Pages for what no route takes; absent: the usual ones. */
  readonly errors?: ErrorsPlan
}

/** Bounds of an application; -1: none. */
export interface AppLimitsPlan {
  /** Of all its processes together, bytes. */
  readonly memory: number
  /** Of all its processes together, cores. */
  readonly cpu: number
  /** Processes and threads. */
  readonly pids: number
  /** Open files of each process. */
  readonly files: number
  /** Core dumps of each process, bytes. */
  readonly core: number
  /** What cannot be enforced is an error, not a warning. */
  readonly strict: boolean
}

/** Where a secret is read from; its value is never in a Plan. */
export interface SecretPlan {
  /** Of the variable. */
  readonly name: string
  /** Absolute; '' for a credential. */
  readonly file: string
  /** One of systemd's; '' for a file. */
  readonly credential: string
  readonly as: 'env' | 'file'
}

/** What an application may do and see. Paths are those outside of its walls. */
export interface IsolationPlan {
  /** '' for the site's. */
  readonly user: string
  readonly group: string
  /** '' for the whole file system. */
  readonly chroot: string
  readonly readOnly: readonly string[]
  readonly writable: readonly string[]
  readonly privateTmp: boolean
  readonly network: 'host' | 'none'
  /** `none` where nothing asks for walls. */
  readonly sandbox: 'auto' | 'bubblewrap' | 'none'
  readonly noNewPrivileges: boolean
  readonly limits: AppLimitsPlan
  readonly secrets: readonly SecretPlan[]
}

/** When workers are replaced by new ones; 0: never for that reason. */
export interface RecyclePlan {
  readonly requests: number
  readonly ageMs: number
  /** Resident, bytes. */
  readonly memory: number
  /** Bytes. */
  readonly addressSpace: number
  readonly idleMs: number
  /** At most this part of a bound is added to it by chance, so that workers do not go together. */
  readonly jitter: number
}

/** How many workers there are, between `min` and the application's `workers`. */
export interface ScalePlan extends ScalerPlan {
  readonly min: number
  readonly by: 'spare' | 'backlog' | 'busyness' | 'delay'
  /** A cycle: how often is decided, ms. */
  readonly everyMs: number
  /** With `min` 0: nobody came for so long, then no worker is left; ms. */
  readonly idleMs: number
  /** Resident memory of all workers above which none is added, bytes; 0: no limit. */
  readonly memory: number
  /** Without workers the warm parent stays. */
  readonly warm: boolean
}

export interface AppReloadPlan {
  /** Absolute: a change of one of these reloads the application. */
  readonly touch: readonly string[]
  /** One worker at a time. */
  readonly rolling: boolean
}

/** What every kind of application has. */
export interface CommonAppPlan {
  readonly name: string
  /** Absolute working directory. */
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  /** The most that run at a time. */
  readonly workers: number
  /** Absent: there are always `workers`. */
  readonly scale?: ScalePlan
  readonly recycle?: RecyclePlan
  readonly reload?: AppReloadPlan
  /** Longest a request may run before its answer begins, in ms; 0: no limit. */
  readonly deadlineMs: number
  /** How long one runs until it is logged with where its worker stands, in ms; 0: never. */
  readonly softDeadlineMs: number
  /** Longest a request may wait for a worker, in ms; 0: no limit. */
  readonly queueDeadlineMs: number
  /** Longest the start may take, in ms. */
  readonly startTimeoutMs: number
  /** Requests that may wait for a worker, per server thread. */
  readonly queue: number
  /** Left out where it lives as the site does. */
  readonly isolation?: IsolationPlan
  /** Programs in its code that run beside the workers; only of languages that have them, as are jobs. */
  readonly mules?: readonly string[]
  /** Processes that do jobs in its code. */
  readonly jobs?: JobWorkersPlan
}

export interface PythonAppPlan extends CommonAppPlan {
  readonly kind: 'python'
  /** Dotted module, or an absolute file, and the attribute in it: `shop.wsgi` and `application`. `dir` is first on `sys.path`. */
  readonly module: string
  readonly callable: string
  /** `auto`: the worker sees what the callable is. */
  readonly mode: 'auto' | 'wsgi' | 'asgi' | 'gevent' | 'eventlet'
  /** The interpreter, absolute, or a name to look up in PATH; '' to find one (venv first). */
  readonly python: string
  /** A virtual environment, absolute; '' to look for `.venv` and `venv` in `dir`. */
  readonly venv: string
  /** Requests one worker runs at a time over WSGI. */
  readonly threads: number
  /** Requests one worker has in hand at a time over ASGI, gevent and eventlet. */
  readonly concurrency: number
  readonly lifespan: 'auto' | 'on' | 'off'
  /** Each worker imports the application by itself, after the fork. */
  readonly lazy?: boolean
  /** `import uwsgi` works. */
  readonly compat?: 'uwsgi'
  /** Of `uwsgi.opt`, beside what is in the plan. */
  readonly options?: Readonly<Record<string, string>>
  /** A file with Gunicorn's server hooks, absolute; absent: none. */
  readonly hooks?: string
}

export interface PhpAppPlan extends CommonAppPlan {
  /** `dir` is the document root. */
  readonly kind: 'php'
  /** Script in `dir` that answers for what is no file; '' for none. */
  readonly front: string
  readonly index: readonly string[]
  /** php-fpm or php-cgi: absolute, or a name to look up in PATH; '' to find one. */
  readonly interpreter: string
  readonly ini: Readonly<Record<string, string>>
  /** Absolute folders, ending in `/`, in which nothing is run. */
  readonly noScripts: readonly string[]
}

export interface NodeAppPlan extends CommonAppPlan {
  readonly kind: 'node'
  /** Absolute. */
  readonly file: string
  readonly mode: 'auto' | 'fetch' | 'listener' | 'server'
  readonly run: 'processes' | 'threads'
  /** Absolute, or a name to look up in PATH; '' for our own. */
  readonly interpreter: string
  /** Requests one worker has in hand at a time. */
  readonly concurrency: number
}

/** Perl over PSGI, Ruby over Rack. */
export interface ScriptAppPlan extends CommonAppPlan {
  readonly kind: 'psgi' | 'rack'
  /** Absolute. */
  readonly file: string
  /** Absolute, or a name to look up in PATH; '' for `perl` and `ruby`. */
  readonly interpreter: string
}

export interface ContainerAppPlan extends CommonAppPlan {
  readonly kind: 'container'
  readonly image: string
  /** In place of the image's own; empty for that. */
  readonly command: readonly string[]
  /** That it listens on in there; 0: it listens on `socket`. */
  readonly port: number
  /** A path in there; '' for `port`. */
  readonly socket: string
  readonly protocol: 'http' | 'uwsgi' | 'fastcgi'
  /** `/from:/to:rw`, `name:/to:ro`. */
  readonly volumes: readonly string[]
  readonly engine: 'auto' | 'podman' | 'docker'
  readonly pull: 'missing' | 'always' | 'never'
}

export type AppPlan = PythonAppPlan | PhpAppPlan | NodeAppPlan | ScriptAppPlan | ContainerAppPlan

export interface TargetPlan {
  /** As the owner wrote it. */
  readonly name: string
  readonly scheme: TargetScheme
  readonly address: Address
  /** 0: no new requests. */
  readonly weight: number
  /** Asked only when no other server can be. */
  readonly backup: boolean
  /** Never asked; it keeps its place in hashes. */
  readonly down: boolean
  /** Requests in hand at once, of all threads; 0: as many as come. */
  readonly maxConnections: number
  /** Absent: nobody asks whether it is well. */
  readonly check?: CheckPlan
}

export type SchedulerName =
  | 'rr'
  | 'wrr'
  | 'lc'
  | 'wlc'
  | 'sed'
  | 'nq'
  | 'sh'
  | 'dh'
  | 'lblc'
  | 'lblcr'
  | 'fo'
  | 'ovf'
  | 'mh'
  | 'twos'
  | 'hash'
  | 'random'
  | 'least-time'
  | 'first'

/** A part of a request that hashes are made of. */
export interface KeyPartPlan {
  readonly of:
    | 'address'
    | 'network'
    | 'destination'
    | 'host'
    | 'uri'
    | 'path'
    | 'header'
    | 'cookie'
    | 'query'
  /** Of a header (in lower case), cookie or parameter; else ''. */
  readonly name: string
}

/** Which server is next. Each scheduler looks at what concerns it. */
export interface SchedulePlan {
  readonly by: SchedulerName
  /** Among equals: the first of the list, or turns by weight. */
  readonly ties: 'first' | 'turns'
  /** Turns are spread evenly. */
  readonly smooth: boolean
  readonly key: readonly KeyPartPlan[]
  /** A ring, so that hardly any key moves when a server comes or goes. */
  readonly consistent: boolean
  /** The visitor's port is hashed, too. */
  readonly port: boolean
  /** Another server answers for one that cannot. */
  readonly fallback: boolean
  /** Places in the table of Maglev hashing. */
  readonly table: number
}

/** What servers that speak uwsgi, FastCGI or SCGI are told beside the request. */
export interface VariablesPlan {
  /** Document root as the server's machine sees it; '' for none. */
  readonly root: string
  /** With `root`: the script that answers for a folder. */
  readonly index: string
  /** The one program for every path (SCRIPT_FILENAME); '' for none. */
  readonly script: string
  readonly params: Readonly<Record<string, string>>
  /** Of uwsgi packets, 0 to 255. */
  readonly modifier1: number
}

export interface PoolPlan {
  readonly name: string
  readonly schedule: SchedulePlan
  readonly servers: readonly TargetPlan[]
  readonly connectTimeoutMs: number
  /** Longest wait for the answer's head, and between two reads of its body, in ms. */
  readonly responseTimeoutMs: number
  /** Idle connections kept per server thread and target. */
  readonly keepAlive: number
  /** How long one is kept idle, in ms. */
  readonly keepAliveMs: number
  /** Send the visitor's Host on (true) or the target's own name. */
  readonly preserveHost: boolean
  readonly variables: VariablesPlan
  /** Absent: a pool without `https` servers. */
  readonly tls?: PoolTlsPlan
  /** Each connection begins with a header that names the visitor; absent: it does not. */
  readonly proxyProtocol?: ProxyVersion
  /** Absent: visitors belong to nobody. */
  readonly persistence?: PersistencePlan
  /** Absent: the next server is asked when one cannot be connected to, and that is all. */
  readonly resilience?: ResiliencePlan
  /** Absent: nothing is run when its servers come up and go down. */
  readonly hooks?: HooksPlan
}

export interface LimitsPlan {
  /** Request line, bytes. */
  readonly line: number
  /** Whole head with the request line, bytes. */
  readonly head: number
  /** Header fields. */
  readonly fields: number
  /** Default for a route's `maxBody`, bytes. */
  readonly body: number
  /** Connections in each server thread. */
  readonly connections: number
}

export interface TimeoutsPlan {
  /** From the first byte of a head to its end, ms. */
  readonly headMs: number
  /** Between two reads of a request body, ms. */
  readonly bodyMs: number
  /** A kept-alive connection without a request, ms. */
  readonly idleMs: number
  /** How long a request goes on after its visitor has closed its sending side, ms. */
  readonly abandonMs: number
  /** Without progress while an answer is being sent, ms. */
  readonly sendMs: number
  /** At a stop: how long health checks fail while visitors are still accepted, ms. */
  readonly leaveMs: number
  /** Draining at stop and reload, ms. */
  readonly stopMs: number
}

/** What applications share: cache, queues, locks, counters. */
export interface CommonsPlan {
  /** Bytes kept at most. */
  readonly size: number
  /** The longest key or value, bytes. */
  readonly item: number
  /** Clients at a time. */
  readonly connections: number
  /** Where clients of Redis, and of memcached, find it beside the applications' own socket; null: nowhere. */
  readonly redis: Address | null
  readonly memcached: Address | null
}

export interface LogPlan {
  /** `stdout`, `stderr`, `off`, or an absolute file path. */
  readonly access: string
  /** What `auto` means is decided at load: combined on a terminal or in a file, json in a pipe. */
  readonly format: 'combined' | 'json'
}

/** A StatsD server that is told. */
export interface StatsdPlan {
  readonly host: string
  readonly port: number
  readonly prefix: string
  readonly everyMs: number
  /** Labels are tags as Datadog's agent knows them, else parts of the names. */
  readonly tagged: boolean
}

/** Where figures are told beside the admin socket; null: nowhere. */
export interface StatsPlan {
  /** uWSGI's stats JSON. */
  readonly uwsgi: Address | null
  readonly statsd: StatsdPlan | null
}

/** Names of requests. */
export interface TracePlan {
  /** Visitors are told (X-Request-Id). */
  readonly answer: boolean
  /** What a trace that begins here says of being recorded. */
  readonly sampled: boolean
}

/** Whose meaning signals have. uWSGI's TERM reloads, unless `die-on-term`. */
export const SIGNAL_SETS = ['portico', 'uwsgi', 'uwsgi-die-on-term', 'gunicorn'] as const
export type SignalSet = (typeof SIGNAL_SETS)[number]

export interface SitePlan {
  /** The site file, or '' when the plan came from a folder or a `module:callable`. */
  readonly file: string
  /** Every file that was read, for `--reload`. */
  readonly sources: readonly string[]
  readonly listeners: readonly ListenerPlan[]
  /** Absent: no listener speaks TLS. */
  readonly tls?: SiteTlsPlan
  /** Automatic certificates; absent: there are none. */
  readonly acme?: AcmePlan
  readonly hosts: readonly HostPlan[]
  /** Pages for what no host takes; absent: the usual ones. */
  readonly errors?: ErrorsPlan
  readonly apps: Readonly<Record<string, AppPlan>>
  readonly pools: Readonly<Record<string, PoolPlan>>
  /** Networks (CIDR), or `unix`, whose fields about the visitor are believed. */
  readonly trusted: readonly string[]
  readonly threads: number
  readonly limits: LimitsPlan
  readonly timeouts: TimeoutsPlan
  /** Absent: as usual. */
  readonly http2?: Http2Plan
  readonly log: LogPlan
  /** Null: requests have no names. */
  readonly trace: TracePlan | null
  readonly commons: CommonsPlan
  readonly jobs: JobsPlan
  /** What runs beside the answering of visitors. */
  readonly background: BackgroundPlan
  /** Folder for what has to outlive the site; created when it is needed. */
  readonly state: string
  readonly stats: StatsPlan
  /** The admin socket's path. */
  readonly admin: string
  /** '' for none. */
  readonly pidFile: string
  /** Drop to this user and group when started as root; '' keeps the current one. */
  readonly user: string
  readonly group: string
  /** Folder for request bodies too large for memory. */
  readonly spool: string
  /** Show tracebacks to visitors. */
  readonly dev: boolean
  /** A site none of whose applications loads does not start. */
  readonly needApp?: boolean
  /** Absolute: a change of one of these reloads the site. */
  readonly touch?: readonly string[]
  /** Restart on file change. */
  readonly watch: boolean
  /** What the supervisor makes of signals: see supervisor/guise.ts. */
  readonly signals: SignalSet
  /** Absolute paths of pipes that take letters: see supervisor/fifo.ts. */
  readonly fifo: readonly string[]
  /** Value of the `Server` field; '' sends none. */
  readonly serverName: string
}
