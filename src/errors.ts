/**
 * Every error once: its code, the status a visitor gets, whose fault it is, whether another try may
 * help, and what to do about it. Nothing else in Portico decides a status for a failure.
 */

/** Who has to act: the visitor (4xx), the site's owner, the backend behind us, or Portico itself. */
export type Fault = 'visitor' | 'site' | 'backend' | 'portico'

interface Entry {
  readonly status: number
  readonly fault: Fault
  /** Whether the same request may succeed on another backend or a little later. */
  readonly retry: boolean
  readonly message: string
  readonly remedy?: string
}

/** The name of an error in the catalogue. */
export type ErrorCode =
  | 'BAD_REQUEST_LINE'
  | 'BAD_PROXY_HEADER'
  | 'PLAIN_ON_TLS'
  | 'NO_CERTIFICATE'
  | 'BAD_CERTIFICATE'
  | 'MISDIRECTED'
  | 'BAD_CLIENT_HELLO'
  | 'BAD_MAIL_LINE'
  | 'BAD_PACKET'
  | 'BAD_HTTP2'
  | 'BAD_FIELD'
  | 'BAD_FRAMING'
  | 'LENGTH_REQUIRED'
  | 'BAD_CHUNK'
  | 'BAD_HOST'
  | 'BAD_PATH'
  | 'TOO_LONG_LINE'
  | 'TOO_LARGE_HEAD'
  | 'TOO_LARGE_BODY'
  | 'UNSUPPORTED_VERSION'
  | 'UNSUPPORTED_CODING'
  | 'UNSUPPORTED_METHOD'
  | 'UNSUPPORTED_EXPECTATION'
  | 'SLOW_REQUEST'
  | 'BAD_WEBSOCKET'
  | 'NO_WEBSOCKET'
  | 'METHOD_NOT_ALLOWED'
  | 'UNAUTHORIZED'
  | 'BAD_TOKEN'
  | 'FORBIDDEN'
  | 'TOO_MANY'
  | 'TOO_MANY_NOW'
  | 'NOT_FOUND'
  | 'NO_HOST'
  | 'VISITOR_LEFT'
  | 'BACKEND_REFUSED'
  | 'BACKEND_CLOSED'
  | 'BACKEND_LIED'
  | 'BACKEND_SLOW'
  | 'BACKEND_UNREACHABLE'
  | 'BACKEND_TLS'
  | 'NO_BACKEND'
  | 'AUTH_FAILED'
  | 'POOL_RESTS'
  | 'POOL_FULL'
  | 'POOL_LATE'
  | 'BODY_NOT_TAKEN'
  | 'REQUEST_LOOP'
  | 'APP_BROKEN'
  | 'APP_FAILED'
  | 'APP_DIED'
  | 'APP_DEADLINE'
  | 'APP_STARTING'
  | 'QUEUE_FULL'
  | 'QUEUE_DEADLINE'
  | 'CGI_FAILED'
  | 'SPOOL_FAILED'
  | 'OUT_OF_FILES'
  | 'OUT_OF_PROCESSES'
  | 'FILE_UNREADABLE'
  | 'INTERNAL'
  | 'STOPPING'

const catalogue: Readonly<Record<ErrorCode, Entry>> = {
  // What a visitor sent (RFC 9110, RFC 9112).
  BAD_REQUEST_LINE: {
    status: 400,
    fault: 'visitor',
    retry: false,
    message: 'malformed request line',
  },
  BAD_PROXY_HEADER: {
    status: 400,
    fault: 'site',
    retry: false,
    message: 'a connection without a PROXY protocol header',
    remedy: 'this listener has proxy-protocol: true; only load balancers that send it can connect',
  },
  BAD_CLIENT_HELLO: {
    status: 400,
    fault: 'visitor',
    retry: false,
    message: 'no TLS, or a malformed client hello',
    remedy: 'this listener is tls://, which takes TLS only; tcp:// takes everything',
  },
  PLAIN_ON_TLS: {
    status: 400,
    fault: 'visitor',
    retry: false,
    message: 'plain HTTP was sent to a port for HTTPS',
  },
  NO_CERTIFICATE: {
    status: 400,
    fault: 'visitor',
    retry: false,
    message: 'a client certificate is needed here, and none was sent',
  },
  BAD_CERTIFICATE: {
    status: 400,
    fault: 'visitor',
    retry: false,
    message: 'the client certificate is none to rely on',
  },
  MISDIRECTED: {
    status: 421,
    fault: 'visitor',
    retry: true,
    message: 'this connection was made for another host',
  },
  BAD_MAIL_LINE: {
    status: 400,
    fault: 'visitor',
    retry: false,
    message: 'malformed line of IMAP, POP3 or SMTP',
  },
  BAD_PACKET: {
    status: 400,
    fault: 'site',
    retry: false,
    message: 'malformed uwsgi, FastCGI or SCGI',
    remedy: 'only programs that speak the protocol of this address can talk to it',
  },
  BAD_HTTP2: { status: 400, fault: 'visitor', retry: false, message: 'malformed HTTP/2' },
  BAD_FIELD: { status: 400, fault: 'visitor', retry: false, message: 'malformed header field' },
  BAD_FRAMING: { status: 400, fault: 'visitor', retry: false, message: 'ambiguous message length' },
  LENGTH_REQUIRED: {
    status: 411,
    fault: 'visitor',
    retry: false,
    message: 'a body must come with its length',
  },
  BAD_CHUNK: { status: 400, fault: 'visitor', retry: false, message: 'malformed chunked body' },
  BAD_HOST: { status: 400, fault: 'visitor', retry: false, message: 'missing or malformed Host' },
  BAD_PATH: { status: 400, fault: 'visitor', retry: false, message: 'malformed path' },
  TOO_LONG_LINE: { status: 414, fault: 'visitor', retry: false, message: 'request line too long' },
  TOO_LARGE_HEAD: {
    status: 431,
    fault: 'visitor',
    retry: false,
    message: 'header fields too large',
  },
  TOO_LARGE_BODY: {
    status: 413,
    fault: 'visitor',
    retry: false,
    message: 'request body too large',
  },
  UNSUPPORTED_VERSION: {
    status: 505,
    fault: 'visitor',
    retry: false,
    message: 'HTTP version not supported',
  },
  UNSUPPORTED_CODING: {
    status: 501,
    fault: 'visitor',
    retry: false,
    message: 'transfer coding not implemented',
  },
  UNSUPPORTED_METHOD: {
    status: 501,
    fault: 'visitor',
    retry: false,
    message: 'method not implemented',
  },
  UNSUPPORTED_EXPECTATION: {
    status: 417,
    fault: 'visitor',
    retry: false,
    message: 'expectation not supported',
  },
  SLOW_REQUEST: {
    status: 408,
    fault: 'visitor',
    retry: false,
    message: 'the request took too long to arrive',
  },
  BAD_WEBSOCKET: {
    status: 400,
    fault: 'visitor',
    retry: false,
    message: 'malformed WebSocket handshake',
  },
  NO_WEBSOCKET: {
    status: 501,
    fault: 'site',
    retry: false,
    message: 'no WebSocket can come this way',
    remedy: 'have the web server in front pass WebSockets on over HTTP/1.1, to an http listener',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    fault: 'visitor',
    retry: false,
    message: 'method not allowed here',
  },
  UNAUTHORIZED: {
    status: 401,
    fault: 'visitor',
    retry: false,
    message: 'a name and a password are needed here',
  },
  BAD_TOKEN: {
    status: 401,
    fault: 'visitor',
    retry: false,
    message: 'a valid token is needed here',
  },
  FORBIDDEN: { status: 403, fault: 'visitor', retry: false, message: 'forbidden' },
  TOO_MANY: { status: 429, fault: 'visitor', retry: true, message: 'too many requests' },
  // What nginx answers by default.
  TOO_MANY_NOW: { status: 503, fault: 'visitor', retry: true, message: 'too many requests' },
  NOT_FOUND: { status: 404, fault: 'visitor', retry: false, message: 'not found' },
  NO_HOST: { status: 421, fault: 'visitor', retry: false, message: 'no such host here' },
  VISITOR_LEFT: {
    status: 499,
    fault: 'visitor',
    retry: false,
    message: 'the visitor closed the connection',
  },

  // What an application or backend did.
  BACKEND_REFUSED: {
    status: 502,
    fault: 'backend',
    retry: true,
    message: 'the backend refused the connection',
  },
  BACKEND_CLOSED: {
    status: 502,
    fault: 'backend',
    retry: true,
    message: 'the backend closed the connection before its answer was complete',
  },
  BACKEND_LIED: {
    status: 502,
    fault: 'backend',
    retry: false,
    message: 'the backend sent a malformed answer',
  },
  BACKEND_SLOW: {
    status: 504,
    fault: 'backend',
    retry: false,
    message: 'the backend did not answer in time',
  },
  BACKEND_UNREACHABLE: {
    status: 504,
    fault: 'backend',
    retry: true,
    message: 'the backend could not be reached in time',
  },
  BACKEND_TLS: {
    status: 502,
    fault: 'backend',
    retry: true,
    message: 'no TLS with the backend',
    remedy: 'see `tls` of the pool; the log says what is wrong',
  },
  // 508 (RFC 5842 §7.2): what a proxy that forwards to itself finds out.
  REQUEST_LOOP: {
    status: 508,
    fault: 'site',
    retry: false,
    message: 'the request goes in a circle',
    remedy: 'a pool must not name the address this site listens on',
  },
  NO_BACKEND: { status: 503, fault: 'backend', retry: true, message: 'no backend is available' },
  POOL_RESTS: {
    status: 503,
    fault: 'backend',
    retry: true,
    message: 'the pool has failed too often and rests',
    remedy: 'see why its servers fail; `breaker:` says when it is asked again',
  },
  POOL_FULL: {
    status: 503,
    fault: 'site',
    retry: true,
    message: 'too many requests are in hand or waiting',
    remedy: 'more servers, a higher `max-connections:`, or a longer `queue:`',
  },
  POOL_LATE: {
    status: 503,
    fault: 'site',
    retry: true,
    message: 'no server was free in time',
    remedy: 'more servers, a higher `max-connections:`, or a longer `queue: { timeout }`',
  },
  AUTH_FAILED: {
    status: 503,
    fault: 'backend',
    retry: true,
    message: 'whoever decides who may come in could not be asked',
    remedy: 'see that the server or the keys that `auth:` names can be reached',
  },
  BODY_NOT_TAKEN: {
    status: 501,
    fault: 'site',
    retry: false,
    message: 'the backend takes no request bodies by this protocol',
    remedy:
      'name the server with uwsgi:// and its --socket: uWSGI reads no body on a puwsgi socket',
  },
  APP_BROKEN: {
    status: 500,
    fault: 'site',
    retry: false,
    message: 'the application did not load',
    remedy: 'see the traceback in the log, mend it, then `portico reload`',
  },
  APP_FAILED: {
    status: 500,
    fault: 'site',
    retry: false,
    message: 'the application failed',
    remedy: 'see the traceback in the log',
  },
  APP_DIED: {
    status: 502,
    fault: 'site',
    retry: false,
    message: 'the worker died while it had this request',
  },
  APP_DEADLINE: {
    status: 504,
    fault: 'site',
    retry: false,
    message: 'the application exceeded its deadline',
    remedy: 'see the traceback in the log, or raise `deadline:`',
  },
  APP_STARTING: { status: 503, fault: 'site', retry: true, message: 'the application is starting' },
  QUEUE_FULL: {
    status: 503,
    fault: 'site',
    retry: true,
    message: 'too many requests are waiting',
    remedy: 'more `workers:`, or a longer `queue:`',
  },
  QUEUE_DEADLINE: {
    status: 503,
    fault: 'site',
    retry: true,
    message: 'no worker was free in time',
    remedy: 'more `workers:`, or a longer `deadline: { queue }`',
  },
  CGI_FAILED: {
    status: 502,
    fault: 'site',
    retry: false,
    message: 'the program gave no answer',
    remedy: 'see its own words in the log',
  },

  // Ours and the machine's.
  SPOOL_FAILED: {
    status: 507,
    fault: 'portico',
    retry: false,
    message: 'the request body could not be stored',
    remedy: 'free some space where `spool:` points',
  },
  OUT_OF_FILES: {
    status: 503,
    fault: 'portico',
    retry: true,
    message: 'no more files can be opened now',
    remedy: 'raise the limit on open files (`ulimit -n`)',
  },
  OUT_OF_PROCESSES: {
    status: 503,
    fault: 'portico',
    retry: true,
    message: 'no more processes can be started now',
    remedy: 'raise the limit on processes (`ulimit -u`, `TasksMax=`)',
  },
  FILE_UNREADABLE: { status: 403, fault: 'site', retry: false, message: 'the file cannot be read' },
  INTERNAL: { status: 500, fault: 'portico', retry: false, message: 'internal error' },
  STOPPING: { status: 503, fault: 'portico', retry: true, message: 'the server is stopping' },
}

/** An error that carries its whole catalogue entry; `detail` says what was wrong this time. */
export class PorticoError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly fault: Fault
  readonly retry: boolean
  readonly remedy: string
  /** Of a 429 or 503: seconds after which another try makes sense. */
  readonly retryAfter: number

  constructor(code: ErrorCode, detail = '', options?: ErrorOptions & { retryAfter?: number }) {
    const entry = catalogue[code]
    super(detail === '' ? entry.message : `${entry.message}: ${detail}`, options)
    this.name = 'PorticoError'
    this.code = code
    this.status = entry.status
    this.fault = entry.fault
    this.retry = entry.retry
    this.remedy = entry.remedy ?? ''
    this.retryAfter = options?.retryAfter ?? 1
  }
}
