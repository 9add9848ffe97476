/** Where visitors, or the web server in front, connect. */
import { showDuration, showSize } from '../../../site/units.ts'
import { type Declaration, mapped, needless, unsupported } from '../rule.ts'

const TLS = 'say it with tls: in a site file, see docs/tls.md'
const ROUTER = 'Portico is itself what is in front: hosts, routes and pools in a site file'

export const sockets: readonly Declaration[] = [
  mapped('socket uwsgi-socket', 'listen (uwsgi://, or as `protocol` says)'),
  mapped('http-socket http11-socket http httprouter', 'listen'),
  mapped('https https-socket', 'listen (https://), with its certificate'),
  mapped('puwsgi-socket', 'listen (puwsgi://)'),
  mapped('fastcgi-socket', 'listen (fastcgi://)'),
  mapped('scgi-socket', 'listen (scgi://)'),
  mapped('protocol socket-protocol', 'the scheme of `socket` in listen'),
  mapped('abstract-socket', 'listen (unix:@…)'),
  mapped('listen', 'listen[].backlog'),
  mapped('chmod-socket chmod', 'listen[].mode'),
  mapped('chown-socket', 'listen[].owner'),
  mapped('enable-proxy-protocol http-enable-proxy-protocol', 'listen[].proxy-protocol'),
  mapped('buffer-size http-buffer-size', 'limits.head', (draft, option) => {
    const bytes = draft.number(option)
    // Ours begins larger: a smaller one would only refuse more.
    if (bytes > 32_768)
      draft.set(['limits', 'head'], showSize(Math.min(bytes, 16 * 1024 ** 2)), option)
  }),
  mapped('limit-post', 'limits.body', (draft, option) => {
    const bytes = draft.number(option)
    draft.set(['limits', 'body'], bytes === 0 ? 0 : showSize(bytes), option)
  }),
  mapped('max-fd', 'limits.connections', (draft, option) => {
    const most = Math.max(1, Math.min(10_000_000, draft.number(option)))
    draft.set(['limits', 'connections'], most, option)
  }),
  mapped('socket-timeout', 'timeouts.body', (draft, option) => {
    draft.set(['timeouts', 'body'], showDuration(Math.max(1, draft.number(option)) * 1000), option)
  }),
  mapped('http-headers-timeout', 'timeouts.head', (draft, option) => {
    draft.set(['timeouts', 'head'], showDuration(Math.max(1, draft.number(option)) * 1000), option)
  }),
  mapped(
    'so-send-timeout socket-send-timeout so-write-timeout socket-write-timeout',
    'timeouts.send',
    (draft, option) => {
      draft.set(
        ['timeouts', 'send'],
        showDuration(Math.max(1, draft.number(option)) * 1000),
        option,
      )
    },
  ),
  mapped('reload-mercy worker-reload-mercy mule-reload-mercy', 'timeouts.stop', (draft, option) => {
    draft.set(['timeouts', 'stop'], showDuration(draft.number(option) * 1000), option)
  }),
  unsupported('add-header', 'add headers in the application, or in a web server in front'),
  needless(
    'http-keepalive so-keepalive tcp-nodelay no-defer-accept',
    'connections are kept alive, and answers leave at once',
  ),
  needless(
    'http-websockets http-chunked-input http-auto-chunked http-raw-body http-manage-expect',
    'spoken without being asked',
  ),
  needless(
    'reuse-port thunder-lock map-socket http-cheap',
    'every thread accepts from a socket of its own, and the kernel spreads connections',
  ),
  needless('http-processes http-workers http-events', 'the server has a thread a core: `threads`'),
  needless(
    'post-buffering post-buffering-bufsize body-read-warning chunked-input-limit chunked-input-timeout',
    'a body is gathered before a worker is taken, in a file where it is large: limits.body, spool',
  ),
  needless('upload-progress', 'bodies are gathered by the server, not by workers'),
  needless(
    'disable-sendfile file-serve-mode fileserve-mode no-fd-passing close-on-exec close-on-exec2',
    'files leave by sendfile where that is quickest, and no descriptor is inherited',
  ),
  needless(
    'shutdown-sockets no-orphans honour-stdin freebind',
    'sockets outlive reloads and end with the site',
  ),
  needless(
    'http-timeout http-connect-timeout',
    'there is no second hop: `deadline` bounds the application',
  ),
  needless('max-vars', 'bounded by limits.fields and limits.head'),
  needless(
    'http-socket-modifier1 http-socket-modifier2 http-modifier1 http-modifier2 fastcgi-modifier1 fastcgi-modifier2 scgi-modifier1 scgi-modifier2 raw-modifier1 raw-modifier2 https-socket-modifier1 https-socket-modifier2 allowed-modifiers remap-modifier',
    'which application answers is told by routes, not by a number in the packet',
  ),
  unsupported(
    'fastcgi-nph-socket scgi-nph-socket',
    'use fastcgi-socket or scgi-socket, whose answers every web server reads',
  ),
  unsupported(
    'https2 suwsgi-socket ssl-socket https-export-cert https-session-context http-to-https ssl-verbose ssl-verify-depth ssl-enable3 ssl-enable-sslv3 ssl-enable-tlsv1 ssl-option ssl-tmp-dir sni sni-dir sni-dir-ciphers sni-regexp',
    TLS,
  ),
  unsupported(
    'raw-socket udp multicast multicast-ttl multicast-loop zeromq zmq zeromq-socket zmq-socket mongrel2 shared-socket undeferred-shared-socket',
    'use a listener of listen: http, uwsgi, puwsgi, FastCGI or SCGI',
  ),
  unsupported(
    'http-to http-zerg http-fallback http-use-cache http-use-pattern http-use-base http-use-code-string http-use-socket http-subscription-server http-subscription-fallback-key http-resubscribe http-server-name-as-http-host http-manage-source http-manage-rtsp http-stud-prefix http-var',
    ROUTER,
  ),
  unsupported(
    'http-gracetime http-quiet http-harakiri http-uid http-gid',
    'the gateway is the server itself: deadline, timeouts, user',
  ),
  unsupported(
    'http-stats http-stats-server http-ss',
    'use stats: { uwsgi: ADDRESS }, which counts the gateway, too',
  ),
  unsupported('http-auto-gzip', 'use `compress` of a route, or of `filters`, in a site file'),
  unsupported('fastrouter* rawrouter* sslrouter* forkpty*', ROUTER),
  unsupported('tuntap-*', 'use the system’s own tunnels'),
  unsupported(
    'tcp-fast-open tcp-fastopen tcp-fast-open-client tcp-fastopen-client socket-sndbuf socket-rcvbuf',
    'use the system’s settings (sysctl net.ipv4)',
  ),
  unsupported(
    'subscribe* subscription* unsubscribe-on-graceful-reload start-unsubscribed st snmp* notify-socket',
    'name the servers in a pool of the site that is in front',
  ),
  unsupported(
    'zerg zerg-fallback zerg-server zergpool zerg-pool',
    '`portico reload` starts the new version beside the old on the same sockets',
  ),
  unsupported(
    'rem-header del-header collect-header response-header-collect pull-header response-headers-limit',
    'change headers in the application, or in a web server in front',
  ),
  unsupported('legion*', 'use a cluster manager for the machines; cron: and daemons: run on each'),
  unsupported(
    'websockets-ping-freq websocket-ping-freq websockets-pong-tolerance websocket-pong-tolerance websockets-max-size websocket-max-size',
    'uWSGI’s own WebSocket calls are not there: an ASGI or Node application has WebSockets',
  ),
]
