/** How the servers of pools are checked: what is asked, how often, and what follows. */
import type { ProxyVersion } from '../wire/proxy-protocol-writer.ts'
import type { Address } from './plan.ts'

/** When a server is asked, and what it takes to believe its answers. */
export interface CheckTimingPlan {
  /** From one question to the next, ms. */
  readonly everyMs: number
  /** The same while the answers contradict the verdict: so that it comes soon. */
  readonly fastMs: number
  /** The same while it is down. */
  readonly downMs: number
  /** Part of those by which they vary, 0 to 1. */
  readonly jitter: number
  /** An answer that takes longer is none, ms. */
  readonly timeoutMs: number
  /** So many good answers one after the other bring it up. */
  readonly rise: number
  /** So many bad ones bring it down. */
  readonly fall: number
  /** Whether it is asked by visitors before it has been checked once. */
  readonly start: 'up' | 'down'
}

export interface CheckPlan extends CheckTimingPlan {
  /** For people: `http /healthz`. */
  readonly name: string
  /** Who is asked: the server itself, or what stands beside it. */
  readonly address: Address
  /** As visitors' connections begin; absent: without such a header. */
  readonly proxyProtocol?: ProxyVersion
  readonly probe: ProbePlan
}

/** Run at each change, as an ordinary user. */
export interface HooksPlan {
  /** Empty for none. */
  readonly up: readonly string[]
  readonly down: readonly string[]
  readonly folder: string
}

export type ProbePlan =
  | TcpCheckPlan
  | HttpCheckPlan
  | SmtpCheckPlan
  | DnsCheckPlan
  | PingCheckPlan
  | ScriptCheckPlan
  | FileCheckPlan
  | FastcgiCheckPlan
  | UwsgiCheckPlan
  | RedisCheckPlan
  | MysqlCheckPlan
  | AmqpCheckPlan

export interface TcpCheckPlan {
  readonly kind: 'tcp'
  /** Sent first; '' for nothing. */
  readonly send: string
  /** Has to be in what it says, within its first 64 KiB; '' for nothing. */
  readonly expect: string
}

export interface HttpCheckPlan {
  readonly kind: 'http'
  /** Of HTTP; 2 for servers that speak no other. */
  readonly version: 1 | 2
  /** Null: without TLS. */
  readonly tls: CheckTlsPlan | null
  readonly method: string
  readonly path: string
  /** '' for the server's own name. */
  readonly host: string
  /** Name, value, name, value … */
  readonly fields: readonly string[]
  /** From, to, from, to …, both included. */
  readonly status: readonly number[]
  /** Has to be in the body; '' for nothing. */
  readonly body: string
  /** Of the body in hexadecimal, by MD5 or SHA-256; '' for none. */
  readonly digest: string
}

export interface CheckTlsPlan {
  readonly verify: boolean
  /** What the certificate has to be for; '' for the host of the request. */
  readonly name: string
}

export interface SmtpCheckPlan {
  readonly kind: 'smtp'
  /** Who we say we are. */
  readonly helo: string
}

export interface DnsCheckPlan {
  readonly kind: 'dns'
  /** What is asked for. */
  readonly name: string
  /** One of RecordTypes. */
  readonly type: string
  /** One of ResponseCodes. */
  readonly code: string
  /** Has to be in one of the answers, as people write them; '' for nothing. */
  readonly answer: string
}

export interface PingCheckPlan {
  readonly kind: 'ping'
}

export interface ScriptCheckPlan {
  readonly kind: 'script'
  /** The first is an absolute path. */
  readonly argv: readonly string[]
  readonly folder: string
  readonly dynamic: boolean
  /** `NAME=value` beside PATH and what tells the server. */
  readonly env: readonly string[]
}

export interface FileCheckPlan {
  readonly kind: 'file'
  readonly path: string
  readonly dynamic: boolean
}

export interface FastcgiCheckPlan {
  readonly kind: 'fastcgi'
  /** What is asked for, as SCRIPT_NAME and SCRIPT_FILENAME; '' for FCGI_GET_VALUES. */
  readonly path: string
  /** Has to be in the answer's body; '' for nothing. */
  readonly body: string
}

export interface UwsgiCheckPlan {
  readonly kind: 'uwsgi'
}

export interface RedisCheckPlan {
  readonly kind: 'redis'
  /** '' for whoever has no name. */
  readonly user: string
  /** A file that holds the password, read each time; '' for none. */
  readonly passwordFile: string
  readonly role: 'any' | 'master' | 'replica'
}

export interface MysqlCheckPlan {
  readonly kind: 'mysql'
  /** Who logs in, without a password. */
  readonly user: string
}

export interface AmqpCheckPlan {
  readonly kind: 'amqp'
}
