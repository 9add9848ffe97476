/**
 * Asks over HTTP whether a visitor may log in, and where to, as nginx's ngx_mail_auth_http_module does:
 * the request's fields say who it is, those of the answer what follows.
 */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { distinguishedName, fingerprint, type TlsFacts } from '../request/tls-facts.ts'
import type { Address } from '../site/plan.ts'
import type { MailScheme } from '../site/stream-plan.ts'
import { http } from '../system/http.ts'
import type { LoginAsked } from './front.ts'
import { isSayable } from './sasl.ts'

export interface Question {
  readonly protocol: MailScheme
  readonly asked: LoginAsked
  /** From 1. */
  readonly attempt: number
  readonly address: string
  /** Null: it has none. */
  readonly tls: TlsFacts | null
}

export type Verdict =
  | {
      readonly yes: true
      readonly address: Address
      readonly user: string
      readonly password: string
    }
  /** It is to be asked again after `waitMs`. */
  | { readonly yes: null; readonly waitMs: number }
  /** The visitor is told, after `waitMs`, and may try again; 0: it is told and closed. */
  | {
      readonly yes: false
      readonly message: string
      readonly code: string
      readonly waitMs: number
    }

/** That a visitor can be made to wait, ms. */
const LONGEST_WAIT_MS = 3_600_000
/** Between two questions about the same login, ms. */
const SHORTEST_WAIT_MS = 1_000

export interface AuthOptions {
  /** `http://host:port/path`, or `http://unix:/path/of.sock:/path`. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

export class AuthHttp {
  readonly #options: AuthOptions
  readonly #agent = new http.Agent({ keepAlive: true, maxFreeSockets: 8 })
  readonly #where: { readonly path: string; readonly [key: string]: unknown }

  constructor(options: AuthOptions) {
    this.#options = options
    this.#where = whereOf(options.url)
  }

  /** `done` is called once, unless it is cancelled; an Error: it could not be asked, or made no sense. */
  ask(question: Question, done: (verdict: Verdict | Error) => void): () => void {
    const { timeoutMs, headers } = this.#options
    let isOver = false
    let asking: ClientRequest
    const finish = (verdict: Verdict | Error): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      done(verdict)
    }
    const timer = setTimeout(() => {
      asking.destroy()
      finish(new Error(`no answer within ${timeoutMs} ms`))
    }, timeoutMs)
    asking = http.request({
      ...this.#where,
      agent: this.#agent,
      headers: { ...fieldsOf(question), ...headers },
    })
    asking.on('error', (error) => finish(error))
    asking.on('response', (answer) => {
      // Fields say it all; a short body is read so that the connection can be kept.
      answer.resume()
      answer.on('error', () => {})
      finish(read(answer, question))
    })
    asking.end()
    return () => {
      isOver = true
      clearTimeout(timer)
      asking.destroy()
    }
  }

  close(): void {
    this.#agent.destroy()
  }
}

function whereOf(url: string): { path: string; [key: string]: unknown } {
  const [, socketPath, path] = /^http:\/\/unix:([^:]+)(?::(\/.*))?$/.exec(url) ?? []
  if (socketPath !== undefined) {
    return { socketPath, path: path ?? '/', setHost: false, defaultPort: 80 }
  }
  const { hostname, port, pathname, search } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  return { host, port: port === '' ? 80 : Number(port), path: `${pathname}${search}` }
}

function fieldsOf({ protocol, asked, attempt, address, tls }: Question): Record<string, string> {
  const { method, user, password, salt } = asked.credentials
  const { envelope, helo } = asked
  return {
    'Auth-Method': method,
    'Auth-User': escaped(user),
    'Auth-Pass': escaped(password),
    ...(salt === '' ? {} : { 'Auth-Salt': salt }),
    'Auth-Protocol': protocol,
    'Auth-Login-Attempt': String(attempt),
    'Client-IP': address === '' ? 'unix:' : address,
    ...(protocol === 'smtp' ? { 'Client-Host': '[UNAVAILABLE]' } : {}),
    ...(envelope === undefined
      ? {}
      : {
          'Auth-SMTP-Helo': escaped(helo ?? ''),
          'Auth-SMTP-From': escaped(envelope.from),
          'Auth-SMTP-To': escaped(envelope.to),
        }),
    ...(tls === null ? {} : tlsFields(tls)),
  }
}

/** As nginx names them. */
function tlsFields(tls: TlsFacts): Record<string, string> {
  const { protocol, cipher, certificate } = tls.seen
  const fields = { 'Auth-SSL': 'on', 'Auth-SSL-Protocol': protocol, 'Auth-SSL-Cipher': cipher }
  if (!tls.asks) return fields
  if (certificate === null) return { ...fields, 'Auth-SSL-Verify': tls.verified }
  const shown = certificate.certificate
  return {
    ...fields,
    'Auth-SSL-Verify': tls.verified,
    'Auth-SSL-Subject': escaped(distinguishedName(shown.subject)),
    'Auth-SSL-Issuer': escaped(distinguishedName(shown.issuer)),
    'Auth-SSL-Serial': shown.serialNumber,
    'Auth-SSL-Fingerprint': fingerprint(shown),
    'Auth-SSL-Cert': encodeURIComponent(shown.toString()),
  }
}

/** As nginx does it: space, percent and control characters become %XX. */
function escaped(text: string): string {
  return text.replace(
    /[\x00-\x20%\x7f]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

function read(answer: IncomingMessage, { asked }: Question): Verdict | Error {
  const field = (name: string): string => {
    const value = answer.headers[name]
    return (Array.isArray(value) ? value[0] : value) ?? ''
  }
  const status = field('auth-status')
  if (status === '') return new Error(`an answer without Auth-Status (status ${answer.statusCode})`)
  if (status !== 'OK') {
    const code = field('auth-error-code')
    const wait = field('auth-wait')
    const waitMs = /^\d+$/.test(wait) ? Math.min(LONGEST_WAIT_MS, Number(wait) * 1000) : 0
    if (status === 'WAIT') return { yes: null, waitMs: Math.max(SHORTEST_WAIT_MS, waitMs) }
    return {
      yes: false,
      message: oneLine(status),
      code: /^[45]\d\d( [45]\.\d{1,3}\.\d{1,3})?$/.test(code) ? code : '',
      waitMs,
    }
  }
  const host = field('auth-server')
  const port = Number(field('auth-port'))
  if (isIP(host) === 0 && !/^[A-Za-z0-9._-]+$/.test(host)) return new Error('no Auth-Server')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return new Error('no Auth-Port')
  const { credentials } = asked
  const isPlain = credentials.method === 'plain' || credentials.method === 'none'
  const password = field('auth-pass')
  // A digest logs nobody in at a server.
  if (!isPlain && password === '') return new Error(`no Auth-Pass for ${credentials.method}`)
  const user = field('auth-user') || credentials.user
  if (!isSayable(user) || !isSayable(password)) return new Error('a control character in Auth-User')
  return {
    yes: true,
    address: { kind: 'tcp', host, port },
    user,
    password: password || credentials.password,
  }
}

/** A visitor is told it in a line. */
function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]/g, ' ').slice(0, 400)
}
