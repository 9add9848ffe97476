/** What carries an exchange to one backend. */
import type { PorticoError } from '../errors.ts'
import type { Exchange } from '../request/exchange.ts'

/** How a transport reports on an exchange it was given: exactly one of the two, once. */
export interface Attempt {
  /** Longest wait for the head of its answer, ms; absent: the backend's. */
  readonly responseTimeoutMs?: number
  /** Longest a connection may take to be made, ms; absent: the backend's. */
  readonly connectTimeoutMs?: number
  /** The answer begins. */
  heard?(): void
  /** Nothing of the request has reached the backend: another one may be tried. */
  refused(error: PorticoError): void
  /**
   * The backend has this exchange no longer. The visitor has the answer, or the error in its place:
   * then `failure` says which.
   */
  done(failure?: PorticoError): void
}

/** Carries exchanges to one backend; made once by a factory, with the connections it keeps. */
export interface Transport {
  readonly name: string
  send(exchange: Exchange, attempt: Attempt): void
  /** Keeps no connection any more: idle ones close now, the others after their exchange. */
  close(): void
}
