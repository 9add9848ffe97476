/** How we log in at a server for a visitor that may: one machine for each protocol. Pure. */
import type { LoginAsked } from './front.ts'

export type LoginStep =
  /** To the server. */
  | { readonly do: 'say'; readonly text: string }
  /** More has to come. */
  | { readonly do: 'wait' }
  /** The visitor is told, and goes on with the server itself. */
  | { readonly do: 'done'; readonly text: string }
  /** `text`: for the visitor, where the server's word is for it. */
  | { readonly do: 'failed'; readonly reason: string; readonly text?: string }

export interface Login {
  /** A line of the server's, without its CRLF. */
  hear(line: string): LoginStep
}

export interface LoginOptions {
  readonly asked: LoginAsked
  /** With what: of the visitor, or what the one who was asked says instead. */
  readonly user: string
  readonly password: string
  readonly serverName: string
  readonly xclient: boolean
  readonly smtpAuth: boolean
  /** The visitor's. */
  readonly address: string
}

export const WAIT: LoginStep = { do: 'wait' }

export function tell(text: string): LoginStep {
  return { do: 'say', text: `${text}\r\n` }
}

/** `line` is the server's, for our log alone. */
export function failed(what: string, line: string): LoginStep {
  return { do: 'failed', reason: `${what}: ${JSON.stringify(line.slice(0, 200))}` }
}
