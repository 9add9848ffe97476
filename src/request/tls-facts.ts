/** What is known of a visitor's TLS: for logs, for applications, and for who decides by it. */
import type { X509Certificate } from 'node:crypto'
import { PorticoError } from '../errors.ts'
import type { PeerCertificate } from '../listen/secure-stream.ts'

/** A listener that asks for certificates. */
export interface Asked {
  /** Without a good one there is no answer but 400. */
  readonly required: boolean
  /** Most certificates between the visitor's and its authority's own. */
  readonly depth: number
}

/** What was seen of the connection when its handshake was over. */
export interface TlsSeen {
  readonly protocol: string
  readonly cipher: string
  readonly serverName: string
  readonly resumed: boolean
  readonly certificate: PeerCertificate | null
}

export class TlsFacts {
  /** `TLSv1.3` */
  readonly protocol: string
  /** As OpenSSL calls it. */
  readonly cipher: string
  /** The name that was asked for, '' for none. */
  readonly serverName: string
  readonly resumed: boolean
  /** The visitor's; null: it has shown none. */
  readonly certificate: X509Certificate | null
  /** `NONE`, `SUCCESS` or `FAILED:reason`, as nginx has it. */
  readonly verified: string
  /** Visitors are asked for certificates here. */
  readonly asks: boolean
  readonly #required: boolean

  /** `asked`: null where visitors need no certificate. */
  constructor(seen: TlsSeen, asked: Asked | null) {
    this.protocol = seen.protocol
    this.cipher = seen.cipher
    this.serverName = seen.serverName
    this.resumed = seen.resumed
    this.certificate = seen.certificate?.certificate ?? null
    this.verified = verdict(seen.certificate, asked?.depth ?? 0)
    this.asks = asked !== null
    this.#required = asked?.required === true
  }

  /** Why a request for `host` (lower case, without a port) cannot be answered; null: it can. */
  objection(host: string): PorticoError | null {
    if (this.verified.startsWith('FAILED')) {
      return new PorticoError('BAD_CERTIFICATE', this.verified.slice('FAILED:'.length))
    }
    if (this.#required && this.certificate === null) return new PorticoError('NO_CERTIFICATE')
    // RFC 9110 §15.5.20: whom the visitor has shown itself to decides what it may ask of whom.
    const name = host.endsWith('.') ? host.slice(0, -1) : host
    return this.serverName === '' || this.serverName === name
      ? null
      : new PorticoError('MISDIRECTED', `${this.serverName} was asked for by TLS`)
  }
}

function verdict(shown: PeerCertificate | null, depth: number): string {
  if (shown === null) return 'NONE'
  if (shown.error !== '') return `FAILED:${shown.error.toLowerCase().replaceAll('_', ' ')}`
  return shown.depth > depth ? 'FAILED:certificate chain too long' : 'SUCCESS'
}
