/** What visitors of a mail listener say until they have logged in: one machine for each protocol. Pure. */
import type { Credentials } from './sasl.ts'

/** Of a message without a login: SMTP with the method `none`. */
export interface Envelope {
  readonly from: string
  readonly to: string
}

export interface LoginAsked {
  readonly credentials: Credentials
  /** What the visitor calls itself; SMTP. */
  readonly helo?: string
  /** It said EHLO rather than HELO. */
  readonly esmtp?: boolean
  readonly envelope?: Envelope
  /** Of IMAP: what the answer begins with. */
  readonly tag?: string
}

/** What follows from a line. */
export type Step =
  | { readonly do: 'say'; readonly text: string /** It was no command. */; readonly wrong?: true }
  /** And close. */
  | { readonly do: 'bye'; readonly text: string }
  /** Ask whether this may log in, and where. */
  | { readonly do: 'login'; readonly asked: LoginAsked }
  /** And begin TLS. */
  | { readonly do: 'secure'; readonly text: string }

export interface Front {
  /** Before the visitor says anything. */
  readonly greeting: string
  /** Bytes of a literal that come next; 0: a line does. */
  readonly wants: number
  /** A line without its CRLF, or a literal; latin-1. `last`: nothing waits behind it. */
  hear(text: string, last: boolean): Step
  /** The login was refused; `code`: of SMTP, '' for the usual one. */
  refused(message: string, code: string): string
  /** Something of ours, or behind us, does not work. */
  broken(): string
}

export interface FrontOptions {
  /** What we call ourselves. */
  readonly serverName: string
  /** In lower case: ways to log in. */
  readonly methods: readonly string[]
  readonly capabilities: readonly string[]
  /** For digests: `<unique@host>`. */
  readonly salt: string
  /** STARTTLS is offered: there are certificates, and the connection has no TLS. */
  readonly offersTls: boolean
  /** No login before TLS. */
  readonly needsTls: boolean
}

export function say(text: string): Step {
  return { do: 'say', text: `${text}\r\n` }
}

export function wrong(text: string): Step {
  return { do: 'say', text: `${text}\r\n`, wrong: true }
}
