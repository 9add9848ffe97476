/**
 * What uWSGI, Gunicorn, systemd, supervisor, nginx and others call things that site files have under another
 * name: said in place of a long list of keys, or of a key that only looks alike.
 */

/** Where the mapping has `key`: what is written in it there. */
interface Meant {
  readonly key: string
  /** '' for the key itself. */
  readonly write: string
}

/** Our key, and what to write where that is more than the key; the first one that a mapping has counts. */
export const otherNames: Readonly<Record<string, readonly string[]>> = {
  // Applications.
  harakiri: ['deadline'],
  timeout: ['deadline'],
  'request-timeout': ['deadline'],
  processes: ['workers'],
  process: ['workers'],
  numprocs: ['workers'],
  instances: ['workers'],
  'worker-class': ['mode'],
  'worker-connections': ['concurrency'],
  cheaper: ['min', 'workers: { min: 1, max: 8 }'],
  'cheaper-algo': ['by', 'workers: { by: backlog, … }'],
  algorithm: ['by'],
  'cheaper-idle': ['idle', 'workers: { min: 0, idle: 5m }'],
  minimum: ['min'],
  maximum: ['max'],
  'max-requests': ['requests', 'recycle: { requests: 1000 }'],
  'max-requests-jitter': ['jitter', 'recycle: { jitter: 10 }'],
  'max-worker-lifetime': ['age', 'recycle: { age: 1h }'],
  lifetime: ['age'],
  'reload-on-rss': ['memory', 'recycle: { memory: 300MB }'],
  'evil-reload-on-rss': ['memory', 'recycle: { memory: 300MB }'],
  rss: ['memory'],
  'reload-on-as': ['address-space', 'recycle: { address-space: 2GB }'],
  'touch-reload': ['touch', 'reload: { touch: reload.txt }'],
  'touch-chain-reload': ['reload: { touch: reload.txt, rolling: true }', 'touch'],
  'lazy-apps': ['lazy'],
  preload: ['lazy: false, which is the default'],
  'preload-app': ['lazy: false, which is the default'],
  chdir: ['dir'],
  cwd: ['dir'],
  directory: ['dir'],
  'working-directory': ['dir'],
  workingdirectory: ['dir'],
  environment: ['env'],
  environmentfile: ['env-file'],
  'environment-file': ['env-file'],
  virtualenv: ['venv'],
  pyhome: ['venv'],
  mule: ['mules'],
  spooler: ['jobs', 'jobs: { workers: 1 }'],
  loadcredential: ['secrets'],
  credentials: ['secrets'],
  // Whom and what they may.
  uid: ['user'],
  gid: ['group'],
  memory: ['size', 'limits: { memory: 512MB }'],
  memorymax: ['memory', 'limits: { memory: 512MB }'],
  'limit-as': ['limits: { memory: 512MB }'],
  cpus: ['cpu', 'limits: { cpu: 1.5 }'],
  cpuquota: ['cpu', 'limits: { cpu: 1.5 }'],
  nproc: ['pids', 'limits: { pids: 100 }'],
  tasksmax: ['pids', 'limits: { pids: 100 }'],
  nofile: ['files', 'limits: { files: 4096 }'],
  limitnofile: ['files', 'limits: { files: 4096 }'],
  readonlypaths: ['read-only'],
  protectsystem: ['read-only: true'],
  readwritepaths: ['writable'],
  nonewprivileges: ['no-new-privileges'],
  // What runs beside them.
  'attach-daemon': ['daemons: { redis: { run: … } }'],
  programs: ['daemons'],
  crontab: ['cron'],
  schedule: ['at', 'cron'],
  when: ['at'],
  interval: ['every'],
  timezone: ['zone'],
  tz: ['zone'],
  unique: ['overlap: skip, which is the default'],
  command: ['run'],
  cmd: ['run'],
  exec: ['run'],
  script: ['run'],
  function: ['call'],
  url: ['get', 'engine'],
  path: ['files'],
  paths: ['files'],
  autorestart: ['restart'],
  stopwaitsecs: ['stop-timeout'],
  startsecs: ['start-timeout'],
  // What applications share.
  maxmemory: ['size'],
  'max-memory': ['size'],
  cache2: ['cache: { size: 64MB }'],
  broker: ['engine'],
  backend: ['engine', 'proxy'],
  'max-retries': ['retries'],
  'retry-delay': ['backoff'],
  // Checks of servers: HAProxy, nginx, keepalived.
  inter: ['every'],
  'delay-loop': ['every'],
  fastinter: ['fast'],
  downinter: ['while-down'],
  'connect-timeout': ['timeout'],
  passes: ['rise'],
  fails: ['fall'],
  retry: ['fall'],
  'init-state': ['start'],
  uri: ['http'],
  option: ['http: /healthz'],
  'misc-path': ['script'],
  'misc-dynamic': ['dynamic'],
  'track-file': ['file'],
  'status-code': ['status'],
  'connect-port': ['port'],
  'health-check': ['check'],
  healthcheck: ['check'],
  httpchk: ['check: { http: /healthz }'],
  // The site.
  bind: ['listen'],
  'http-socket': ['listen'],
  http: ['listen'],
  pidfile: ['pid'],
  'master-fifo': ['fifo'],
  logto: ['log: { access: access.log }'],
  accesslog: ['log: { access: access.log }'],
  'access-log': ['log: { access: access.log }'],
  metrics: ['routes: { /metrics: { metrics: true } }'],
  health: ['routes: { /healthz: { health: all } }'],
  // Handlers.
  upstream: ['proxy'],
  'proxy-pass': ['proxy'],
  'uwsgi-pass': ['proxy: "uwsgi://127.0.0.1:3031"'],
  'fastcgi-pass': ['proxy: "fastcgi://127.0.0.1:9000"'],
  alias: ['files'],
  return: ['respond', 'redirect'],
  'try-files': ['fallback'],
  autoindex: ['list'],
  expires: ['cache'],
}

/** What `name` means in a mapping that has the keys `known`; null: nothing that is known of. */
export function otherName(name: string, known: readonly string[]): Meant | null {
  const normal = name.toLowerCase().replaceAll('_', '-')
  for (const text of Object.hasOwn(otherNames, normal) ? (otherNames[normal] ?? []) : []) {
    const key = text.split(':', 1)[0] ?? ''
    if (known.includes(key)) return { key, write: key === text ? '' : text }
  }
  return null
}
