/** Every setting of Gunicorn, once: what it becomes, or why it becomes nothing. */

import { isAbsolute, resolve } from 'node:path'
import { showDuration, showSize } from '../../site/units.ts'
import { type GunicornDraft, truth } from './draft.ts'
import { HOOKS } from './hooks.ts'
import type { Given, Kind, Setting } from './setting.ts'

type Apply = (draft: GunicornDraft, given: Given) => void

function mapped(name: string, flags: string, kind: Kind, text: string, apply?: Apply): Setting {
  const setting = { name, flags, kind, outcome: 'mapped' as const, text }
  return apply === undefined ? setting : { ...setting, apply }
}

function needless(name: string, flags: string, kind: Kind, text: string): Setting {
  return { name, flags, kind, outcome: 'needless', text }
}

function unsupported(name: string, flags: string, kind: Kind, text: string): Setting {
  return { name, flags, kind, outcome: 'unsupported', text }
}

const STRICT = 'requests like these are always refused: they are how requests are smuggled'
const LOGGING =
  'use log: { access, format }; everything else goes to stderr, where the service manager keeps it'

export const SETTINGS: readonly Setting[] = [
  needless('config', '-c --config', 'text', 'it has been read'),
  mapped('wsgi_app', '', 'text', 'apps.app.python'),
  mapped('bind', '-b --bind', 'list', 'listen'),
  mapped('backlog', '--backlog', 'number', 'listen[].backlog'),
  mapped('workers', '-w --workers', 'number', 'apps.app.workers'),
  mapped('worker_class', '-k --worker-class', 'text', 'apps.app.mode'),
  mapped('threads', '--threads', 'number', 'apps.app.threads'),
  mapped('worker_connections', '--worker-connections', 'number', 'apps.app.concurrency'),
  mapped('max_requests', '--max-requests', 'number', 'apps.app.recycle.requests', (draft, given) =>
    draft.setApp(['recycle', 'requests'], draft.number(given), given),
  ),
  mapped(
    'max_requests_jitter',
    '--max-requests-jitter',
    'number',
    'apps.app.recycle.jitter',
    (draft, given) => {
      const bound = draft.count('max_requests', 0)
      const percent = bound === 0 ? 0 : Math.round((100 * draft.number(given)) / bound)
      if (bound > 0) draft.setApp(['recycle', 'jitter'], Math.min(100, percent), given)
    },
  ),
  mapped('timeout', '-t --timeout', 'number', 'apps.app.deadline'),
  mapped('graceful_timeout', '--graceful-timeout', 'number', 'timeouts.stop'),
  mapped('keepalive', '--keep-alive', 'number', 'timeouts.idle', (draft, given) => {
    const seconds = draft.seconds(given)
    if (seconds > 0)
      draft.set(['timeouts', 'idle'], showDuration(Math.round(seconds * 1000)), given)
  }),
  mapped('limit_request_line', '--limit-request-line', 'number', 'limits.line', (draft, given) => {
    const bytes = draft.number(given) || 1024 ** 2
    draft.set(['limits', 'line'], showSize(Math.max(256, bytes)), given)
  }),
  mapped(
    'limit_request_fields',
    '--limit-request-fields',
    'number',
    'limits.fields',
    (draft, given) => draft.set(['limits', 'fields'], Math.max(1, draft.number(given)), given),
  ),
  needless(
    'limit_request_field_size',
    '--limit-request-field_size',
    'number',
    'limits.head bounds all fields together',
  ),
  mapped('reload', '--reload', 'flag', 'restart on change, as --reload', (draft, given) => {
    draft.watch = truth(given.value)
  }),
  needless('reload_engine', '--reload-engine', 'text', 'the kernel tells what changes'),
  mapped('reload_extra_files', '--reload-extra-file', 'list', 'touch', (draft, given) =>
    draft.set(
      ['touch'],
      draft.texts(given).map((file) => draft.inFolder(file)),
      given,
    ),
  ),
  unsupported('spew', '--spew', 'flag', 'run the application in a debugger'),
  needless('check_config', '--check-config', 'flag', 'the site is checked, and nothing is served'),
  needless(
    'print_config',
    '--print-config',
    'flag',
    'the outcome of every setting is printed, and nothing is served',
  ),
  mapped(
    'preload_app',
    '--preload',
    'flag',
    'apps.app.lazy: without it each worker imports the application',
  ),
  needless('sendfile', '--no-sendfile', 'flag', 'files leave by sendfile where that is quickest'),
  needless('reuse_port', '--reuse-port', 'flag', 'every thread accepts from a socket of its own'),
  mapped('chdir', '--chdir', 'text', 'apps.app.dir'),
  mapped('daemon', '-D --daemon', 'flag', 'goes to the background'),
  mapped('raw_env', '-e --env', 'list', 'apps.app.env', (draft, given) => {
    for (const pair of draft.texts(given)) {
      const equals = pair.indexOf('=')
      if (equals < 1) draft.problem(given, `no value: ${pair}`, { expected: 'NAME=value' })
      else draft.setApp(['env', pair.slice(0, equals)], pair.slice(equals + 1), given)
    }
  }),
  mapped('pidfile', '-p --pid', 'text', 'pid', (draft, given) => {
    const [path = ''] = given.value === null ? [] : draft.texts(given)
    if (path !== '') draft.set(['pid'], draft.inFolder(path), given)
  }),
  needless(
    'worker_tmp_dir',
    '--worker-tmp-dir',
    'text',
    'workers need no file to show that they live',
  ),
  mapped('user', '-u --user', 'text', 'user', (draft, given) => who(draft, given, 'user')),
  mapped('group', '-g --group', 'text', 'group', (draft, given) => who(draft, given, 'group')),
  mapped('umask', '-m --umask', 'text', 'listen[].mode, for unix sockets'),
  needless('initgroups', '--initgroups', 'flag', 'the user’s own groups are taken'),
  mapped('tmp_upload_dir', '', 'text', 'spool', (draft, given) => {
    const [path = ''] = given.value === null ? [] : draft.texts(given)
    if (path !== '') draft.set(['spool'], draft.inFolder(path), given)
  }),
  needless(
    'secure_scheme_headers',
    '',
    'none',
    'X-Forwarded-Proto and Forwarded of `trusted` say the scheme',
  ),
  mapped('forwarded_allow_ips', '--forwarded-allow-ips', 'text', 'trusted'),
  mapped('accesslog', '--access-logfile', 'text', 'log.access'),
  unsupported(
    'disable_redirect_access_to_syslog',
    '--disable-redirect-access-to-syslog',
    'flag',
    LOGGING,
  ),
  unsupported(
    'access_log_format',
    '--access-logformat',
    'text',
    'use log: { format: combined } or json',
  ),
  mapped('errorlog', '--error-logfile --log-file', 'text', 'stderr', (draft, given) => {
    const text = given.value === null ? '-' : (draft.texts(given)[0] ?? '-')
    if (text !== '-' && text !== '')
      draft.left.set(
        'errorlog',
        'errors go to stderr: redirect it, or let the service manager keep it',
      )
  }),
  unsupported('loglevel', '--log-level', 'text', 'what is logged has no levels to choose'),
  needless(
    'capture_output',
    '--capture-output',
    'flag',
    'what the application prints is always logged',
  ),
  unsupported('logger_class', '--logger-class', 'text', LOGGING),
  unsupported('logconfig', '--log-config', 'text', LOGGING),
  unsupported('logconfig_dict', '', 'none', LOGGING),
  unsupported('logconfig_json', '--log-config-json', 'text', LOGGING),
  unsupported('syslog_addr', '--log-syslog-to', 'text', LOGGING),
  unsupported('syslog', '--log-syslog', 'flag', LOGGING),
  unsupported('syslog_prefix', '--log-syslog-prefix', 'text', LOGGING),
  unsupported('syslog_facility', '--log-syslog-facility', 'text', LOGGING),
  needless(
    'enable_stdio_inheritance',
    '-R --enable-stdio-inheritance',
    'flag',
    'what workers write is always logged',
  ),
  mapped('statsd_host', '--statsd-host', 'text', 'stats.statsd', (draft, given) => {
    const [address = ''] = given.value === null ? [] : draft.texts(given)
    if (address !== '') draft.set(['stats', 'statsd'], `udp://${address}`, given)
  }),
  mapped('dogstatsd_tags', '--dogstatsd-tags', 'text', 'stats.tags', (draft, given) => {
    if (given.value !== '') draft.set(['stats', 'tags'], 'dogstatsd', given)
  }),
  mapped('statsd_prefix', '--statsd-prefix', 'text', 'stats.prefix', (draft, given) => {
    const [prefix = ''] = draft.texts(given)
    if (prefix !== '') draft.set(['stats', 'prefix'], prefix.replace(/\.+$/, ''), given)
  }),
  needless('proc_name', '-n --name', 'text', '`portico status` names every process'),
  needless('default_proc_name', '', 'text', '`portico status` names every process'),
  mapped('pythonpath', '--pythonpath', 'text', 'apps.app.env.PYTHONPATH', (draft, given) => {
    const [text = ''] = given.value === null ? [] : draft.texts(given)
    const folders = text.split(',').filter((each) => each !== '')
    const full = folders.map((each) => (isAbsolute(each) ? each : resolve(draft.folder, each)))
    if (full.length > 0) draft.setApp(['env', 'PYTHONPATH'], full.join(':'), given)
  }),
  unsupported(
    'paste',
    '--paste --paster',
    'text',
    'write a module with `application = paste.deploy.loadapp("config:" + path)` and name it',
  ),
  unsupported('raw_paste_global_conf', '--paste-global', 'list', 'pass it to paste.deploy.loadapp'),
  mapped('proxy_protocol', '--proxy-protocol', 'flag', 'listen[].proxy-protocol'),
  needless(
    'proxy_allow_ips',
    '--proxy-allow-from',
    'text',
    'a connection without the header is closed',
  ),
  mapped('keyfile', '--keyfile', 'text', 'listen[].key'),
  mapped('certfile', '--certfile', 'text', 'listen[].certificate'),
  needless('ssl_version', '--ssl-version', 'text', 'TLS 1.2 and 1.3 are spoken; tls.min-version'),
  mapped('cert_reqs', '--cert-reqs', 'text', 'listen[].tls.client-certificates.mode'),
  mapped('ca_certs', '--ca-certs', 'text', 'listen[].tls.client-certificates.ca'),
  needless('suppress_ragged_eofs', '--suppress-ragged-eofs', 'flag', 'ends of all kinds are ends'),
  needless(
    'do_handshake_on_connect',
    '--do-handshake-on-connect',
    'flag',
    'a handshake holds up nobody else',
  ),
  mapped('ciphers', '--ciphers', 'text', 'listen[].tls.ciphers'),
  unsupported('strip_header_spaces', '--strip-header-spaces', 'flag', STRICT),
  unsupported('tolerate_dangerous_framing', '--tolerate-dangerous-framing', 'flag', STRICT),
  unsupported('permit_obsolete_folding', '--permit-obsolete-folding', 'flag', STRICT),
  unsupported(
    'permit_unconventional_http_method',
    '--permit-unconventional-http-method',
    'flag',
    STRICT,
  ),
  unsupported(
    'permit_unconventional_http_version',
    '--permit-unconventional-http-version',
    'flag',
    STRICT,
  ),
  unsupported('casefold_http_method', '--casefold-http-method', 'flag', STRICT),
  unsupported(
    'forwarder_headers',
    '--forwarder-headers',
    'text',
    'only X-Forwarded-… and Forwarded of `trusted` are believed',
  ),
  unsupported(
    'header_map',
    '--header-map',
    'text',
    'a field with an underscore never reaches the application',
  ),
  ...HOOKS.map(
    ({ name, runs, sentence }): Setting => ({
      name,
      flags: '',
      kind: 'none',
      outcome: runs ? 'mapped' : 'unsupported',
      text: runs ? `apps.app.hooks: ${sentence}` : sentence,
    }),
  ),
]

function who(draft: GunicornDraft, given: Given, key: 'user' | 'group'): void {
  const [name = ''] = given.value === null ? [] : draft.texts(given)
  if (name !== '') draft.set([key], name, given)
}

export const BY_NAME: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.map((setting) => [setting.name, setting]),
)
