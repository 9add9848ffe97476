/** Files, logs, users, and what uWSGI has around its configuration. */
import { isAbsolute } from 'node:path'
import { type Declaration, mapped, needless, unsupported } from '../rule.ts'

const LOGS = 'the log goes to stderr: systemd’s journal keeps and turns it'
const FORMAT = 'use log: { format: combined } or json'
const ROUTING = 'use hosts and routes of a site file (`portico import` writes one to go on from)'
const CONFIG = 'it has been read'

export const site: readonly Declaration[] = [
  mapped('static-map static-map2', 'routes.PATH.files'),
  mapped('static-index', 'routes.PATH.index'),
  mapped(
    'static-expires static-expires-mtime static-expires-uri static-expires-uri-mtime static-expires-path-info static-expires-path-info-mtime static-expires-type static-expires-type-mtime',
    'routes.PATH.cache, the shortest of them',
  ),
  mapped('uid immediate-uid', 'user', (draft, option) => draft.set(['user'], option.value, option)),
  mapped('gid immediate-gid', 'group', (draft, option) =>
    draft.set(['group'], option.value, option),
  ),
  mapped('chroot', 'apps.NAME.chroot', (draft, option) =>
    draft.setApp(['chroot'], draft.atStart(option.value), option),
  ),
  mapped('pidfile pidfile2 safe-pidfile safe-pidfile2', 'pid', (draft, option) =>
    draft.set(['pid'], draft.atStart(option.value), option),
  ),
  mapped('disable-logging', 'log.access: off', (draft, option) => {
    if (draft.isOn(option.name)) draft.set(['log', 'access'], 'off', option)
  }),
  mapped('req-logger logger-req', 'log.access', (draft, option) => {
    const target = option.value.replace(/^(?:[\w-]+\s+)?(?:threaded:)?/, '')
    const [, kind = target, where = ''] = /^(\w+):(?:logfile=)?([^,]*)/.exec(target) ?? []
    if (kind === 'file') draft.set(['log', 'access'], draft.atStart(where), option)
    else if (kind === 'stdio') draft.set(['log', 'access'], 'stdout', option)
    else draft.leave(option, 'requests are logged to stdout, stderr, or a file: log.access')
  }),
  mapped(
    'logto logto2 daemonize daemonize2',
    'where requests are logged: log.access',
    (draft, option) => {
      if (/^(udp|tcp|socket|syslog):|:\d+$/.test(option.value))
        draft.problem(option, 'logs go to a file here, not over the network', {
          expected: 'a file',
        })
      else if (isAbsolute(option.value) || option.value !== '')
        draft.set(['log', 'access'], draft.atStart(option.value), option)
    },
  ),
  needless('strict', 'it has been minded: an option that nobody knows is an error then'),
  needless('ini yaml yml json js config include inherit', CONFIG),
  needless(
    'set set-placeholder set-ph declare-option declare-option2 resolve',
    'its value stands where it was used',
  ),
  needless(
    'for for-glob for-times for-readline endfor end-for if-opt if-not-opt if-env if-not-env ifenv if-reload if-not-reload if-hostname if-not-hostname if-hostname-match if-not-hostname-match if-exists if-not-exists ifexists if-plugin if-not-plugin ifplugin if-file if-not-file if-dir if-not-dir ifdir if-directory endif end-if',
    'what is in the block stands where it holds',
  ),
  needless(
    'print iprint show-config dump-options help usage version cflags dot-h config-py build-plugin print-sym print-symbol get extract connect-and-read binary-path no-server command-mode exit',
    'it is for people at the command line: `portico check` shows what counts',
  ),
  needless(
    'static-safe honour-range static-cache-paths static-cache-paths-name pcre-jit check-static-docroot',
    'files are found, ranged and remembered without it; links out of a folder are refused where visitors could make them',
  ),
  needless('mimefile mime-file', 'media types are known by the names of files'),
  needless(
    'static-gzip static-gzip-all static-gzip-dir static-gzip-prefix static-gzip-ext static-gzip-suffix',
    'page.html.gz (or .br, .zst) is sent in place of page.html to who accepts it',
  ),
  needless(
    'logdate log-date log-prefix log-micros log-x-forwarded-for logformat-strftime log-format-strftime log-zero log-slow log-4xx log-5xx log-big log-sendfile log-ioerror',
    'the access log has the time, the visitor, status, size and duration of every request',
  ),
  needless(
    'log-master log-master-bufsize log-master-stream log-master-req-stream threaded-logger log-reopen',
    'workers write to a log of the supervisor’s, and USR1 opens files anew',
  ),
  needless('no-initgroups add-gid cap', 'the user’s own groups are taken'),
  unsupported(
    'check-static static-check static-skip-ext',
    'name the folder in a route: { /static/: { files: … } }; the application is not asked for what is not there',
  ),
  unsupported(
    'error-page-403 error-page-404 error-page-500',
    'let the application answer, or a web server in front',
  ),
  unsupported('route* final-route* error-route* response-route* router-list routers-list', ROUTING),
  unsupported(
    'webdav* pam pam-user geoip-* ldap ldap-dump rados-mount glusterfs-mount gridfs-mount pty-*',
    'run a server that does this, and name it in a route: { proxy: … }',
  ),
  unsupported(
    'log-format logformat log-encoder log-req-encoder log-filter log-drain log-route log-req-route',
    FORMAT,
  ),
  unsupported(
    'log-syslog log-socket rsyslog-packet-size rsyslog-split-messages graylog2 log-zeromq log-redis logger logger-list loggers-list notfound-log',
    LOGS,
  ),
  unsupported(
    'log-truncate log-maxsize log-backupname logfile-chown logfile-chmod touch-logrotate touch-logreopen',
    'let logrotate turn the file and send USR1',
  ),
  unsupported('umask', 'set UMask= in the service, or `umask` before the start'),
  unsupported(
    'pivot-root pivot_root unshare unshare2 setns* namespace* ns ns-net',
    'use chroot, read-only and sandbox of the application',
  ),
  unsupported(
    'cgroup cgroup-opt cgroup-dir-mode',
    'use limits: { memory, cpu, pids } of the application',
  ),
  unsupported('stop reload pause suspend resume', 'use `portico stop` and `portico reload`'),
  unsupported('xmlconfig xml', 'XML is not read; write the same as INI'),
  unsupported(
    'fallback-config',
    'a configuration that is wrong leaves the old one serving: `portico reload`',
  ),
  unsupported(
    'inject-before inject-after blacklist end-blacklist whitelist end-whitelist',
    'use include',
  ),
  unsupported(
    'profiler safe-fd fd-safe force-gateway binsh clock clock-list clocks-list privileged-binary-patch* unprivileged-binary-patch* binary-append-data offload-wait',
    'there is nothing of the kind here',
  ),
]
