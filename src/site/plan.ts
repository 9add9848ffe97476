/**
 * The Plan: a site file with everything resolved. Paths are absolute, durations are milliseconds,
 * sizes are bytes, defaults are filled in. It holds plain data only, so that it can be sent to another
 * process and compared with the Plan before it.
 */

/** Where a socket listens. */
export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

export interface ListenerPlan {
  /** As the owner wrote it, for messages. */
  readonly name: string
  readonly scheme: 'http'
  /** `host` is `::` (both families) where the owner named none. Port 0 lets the kernel choose. */
  readonly address: Address
  readonly backlog: number
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

export interface AppHandlerPlan {
  readonly kind: 'app'
  readonly app: string
}

export interface ProxyPlan {
  readonly kind: 'proxy'
  readonly pool: string
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

export type HandlerPlan = FilesPlan | AppHandlerPlan | ProxyPlan | RedirectPlan | RespondPlan

export interface RoutePlan {
  readonly match: RouteMatch
  readonly handler: HandlerPlan
  /** Largest request body in bytes. */
  readonly maxBody: number
  /** `file:line:column` where it was written, for `explain`. */
  readonly source: string
}

export interface HostPlan {
  /** Lower case, without a port: `www.example.com`, `*.example.com` or `*`. */
  readonly name: string
  readonly routes: readonly RoutePlan[]
}

export interface PythonAppPlan {
  readonly kind: 'python'
  readonly name: string
  /** Dotted module and the attribute in it: `shop.wsgi` and `application`. */
  readonly module: string
  readonly callable: string
  /** Absolute; first on `sys.path` and the working directory. */
  readonly dir: string
  /** The interpreter, absolute, or a name to look up in PATH; '' to find one (venv first). */
  readonly python: string
  /** A virtual environment, absolute; '' to look for `.venv` and `venv` in `dir`. */
  readonly venv: string
  readonly env: Readonly<Record<string, string>>
  readonly workers: number
  /** Requests one worker runs at a time. */
  readonly threads: number
  /** Longest a request may run, in ms; 0: no limit. */
  readonly deadlineMs: number
  /** Longest an import may take, in ms. */
  readonly startTimeoutMs: number
  /** Requests that may wait for a worker, per server thread. */
  readonly queue: number
}

export type AppPlan = PythonAppPlan

export interface TargetPlan {
  /** As the owner wrote it. */
  readonly name: string
  readonly scheme: 'http'
  readonly address: Address
  readonly weight: number
}

export interface PoolPlan {
  readonly name: string
  readonly schedule: 'round-robin'
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
  /** Without progress while an answer is being sent, ms. */
  readonly sendMs: number
  /** Draining at stop and reload, ms. */
  readonly stopMs: number
}

export interface LogPlan {
  /** `stdout`, `stderr`, `off`, or an absolute file path. */
  readonly access: string
  /** What `auto` means is decided at load: combined on a terminal or in a file, json in a pipe. */
  readonly format: 'combined' | 'json'
}

export interface SitePlan {
  /** The site file, or '' when the plan came from a folder or a `module:callable`. */
  readonly file: string
  /** Every file that was read, for `--reload`. */
  readonly sources: readonly string[]
  readonly listeners: readonly ListenerPlan[]
  readonly hosts: readonly HostPlan[]
  readonly apps: Readonly<Record<string, AppPlan>>
  readonly pools: Readonly<Record<string, PoolPlan>>
  readonly threads: number
  readonly limits: LimitsPlan
  readonly timeouts: TimeoutsPlan
  readonly log: LogPlan
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
  /** Restart on file change. */
  readonly watch: boolean
  /** Value of the `Server` field; '' sends none. */
  readonly serverName: string
}
