/** Listeners without HTTP: plain connections, datagrams and mail. Plain data, as in plan.ts. */

/** `tls`: connections whose server name decides, and that stay encrypted. */
export type StreamScheme = 'tcp' | 'tls' | 'udp'
export type MailScheme = 'imap' | 'pop3' | 'smtp'

export interface StreamPlan {
  /** Where connections go; '' for nowhere: only those with a name of `names`. */
  readonly pool: string
  /** Server name, in lower case or `*.example.com`, to pool; of tls. */
  readonly names: Readonly<Record<string, string>>
  /** Nothing came from the visitor, and it took nothing, for so long, ms. */
  readonly clientIdleMs: number
  /** The same of the server. */
  readonly serverIdleMs: number
  /** Nothing moved since one side has said that it sends no more, ms. */
  readonly halfClosedMs: number
  /** At once, over all threads; 0: as many as the threads take. */
  readonly maxConnections: number
  /** Of udp: datagrams from the visitor after which a session ends; 0: no bound. */
  readonly requests: number
  /** Of udp: answers to each datagram after which a session has nothing to wait for; -1: not known. */
  readonly responses: number
}

export interface MailPlan {
  /** `http://…`: who says whether a visitor may log in, and to which server. */
  readonly auth: string
  /** Sent with each of its requests. */
  readonly authHeaders: Readonly<Record<string, string>>
  readonly authTimeoutMs: number
  /** Ways to log in, in lower case. */
  readonly methods: readonly string[]
  /** Told in answer to CAPABILITY, CAPA and EHLO. */
  readonly capabilities: readonly string[]
  /** What we call ourselves; '' for the name of this machine. */
  readonly serverName: string
  /** Of smtp: servers are told who the visitor is. */
  readonly xclient: boolean
  /** Of smtp: log in at the server with what the visitor said. */
  readonly smtpAuth: boolean
  /** Before the login, and for each answer of a server until then, ms. */
  readonly loginTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly idleMs: number
  readonly maxConnections: number
  /** Wrong logins until the connection is closed; 0: as many as the answers allow. */
  readonly attempts: number
  /** TLS begins when the visitor says so; else before everything, where there is any. */
  readonly startTls: boolean
  /** No login before TLS. */
  readonly needsTls: boolean
  /** Servers get a PROXY header. */
  readonly proxyProtocol?: 'v1' | 'v2'
}
