/** What is known of a visitor's TLS: for logs, for applications, and for who decides by it. */
import type { X509Certificate } from 'node:crypto'
import { PorticoError } from '../errors.ts'
import type { PeerCertificate } from '../listen/secure-stream.ts'
import type { RequestFields } from '../wire/request-fields.ts'

/** A listener that asks for certificates. */
export interface Asked {
  /** Without a good one there is no answer but 400. */
  readonly required: boolean
  /** Most certificates between the visitor's and its authority's own. */
  readonly depth: number
}

/** What was seen of the connection when its handshake was over. */
export interface TlsSeen {
  /** `TLSv1.3` */
  readonly protocol: string
  /** As OpenSSL calls it. */
  readonly cipher: string
  /** The name that was asked for, '' for none. */
  readonly serverName: string
  readonly resumed: boolean
  /** The visitor's; null: it has shown none. */
  readonly certificate: PeerCertificate | null
}

type Described = WeakMap<RequestFields, RequestFields>

/** Requests that differ in nothing share what is made of their fields, whatever connection brings them. */
const described = new Map<string, Described>()

export class TlsFacts {
  readonly seen: TlsSeen
  /** `NONE`, `SUCCESS` or `FAILED:reason`, as nginx has it. */
  readonly verified: string
  /** Visitors are asked for certificates here. */
  readonly asks: boolean
  readonly #required: boolean
  readonly #described: Described

  /** `asked`: null where visitors need no certificate. */
  constructor(seen: TlsSeen, asked: Asked | null) {
    this.seen = seen
    this.verified = verdict(seen.certificate, asked?.depth ?? 0)
    this.asks = asked !== null
    this.#required = asked?.required === true
    this.#described = asked === null ? shared(seen) : new WeakMap()
  }

  /** The visitor's certificate, where it is a good one. */
  get certificate(): X509Certificate | null {
    return this.verified === 'SUCCESS' ? this.seen.certificate!.certificate : null
  }

  /** Why a request for `host` (lower case, without a port) cannot be answered; null: it can. */
  objection(host: string): PorticoError | null {
    if (this.verified.startsWith(FAILED)) {
      return new PorticoError('BAD_CERTIFICATE', this.verified.slice(FAILED.length))
    }
    if (this.#required && this.verified === 'NONE') return new PorticoError('NO_CERTIFICATE')
    // RFC 9110 §15.5.20: what the visitor has shown, it has shown to the one whom it named.
    const { serverName } = this.seen
    const name = host.endsWith('.') ? host.slice(0, -1) : host
    if (serverName === '' || serverName === name) return null
    return new PorticoError('MISDIRECTED', `TLS was asked for ${serverName}`)
  }

  /** The same fields with what applications are told of the connection, as Apache's mod_ssl names it. */
  describe(fields: RequestFields): RequestFields {
    let known = this.#described.get(fields)
    if (known === undefined) {
      known = { ...fields, encoded: null, variables: this.#variables() }
      this.#described.set(fields, known)
    }
    return known
  }

  #variables(): readonly string[] {
    const { protocol, cipher, serverName, certificate } = this.seen
    const list = ['SSL_PROTOCOL', protocol, 'SSL_CIPHER', cipher]
    if (!this.asks) return list
    list.push('SSL_TLS_SNI', serverName, 'SSL_CLIENT_VERIFY', this.verified)
    if (certificate !== null) list.push(...certificateVariables(certificate.certificate))
    return list
  }
}

const FAILED = 'FAILED:'

/** There are few ciphers. */
function shared({ protocol, cipher }: TlsSeen): Described {
  const key = `${protocol} ${cipher}`
  let known = described.get(key)
  if (known === undefined) {
    known = new WeakMap()
    described.set(key, known)
  }
  return known
}

function verdict(shown: PeerCertificate | null, depth: number): string {
  if (shown === null) return 'NONE'
  if (shown.error !== '') return `${FAILED}${shown.error.toLowerCase().replaceAll('_', ' ')}`
  return shown.depth > depth ? `${FAILED}certificate chain too long` : 'SUCCESS'
}

function certificateVariables(certificate: X509Certificate): string[] {
  return [
    'SSL_CLIENT_S_DN',
    distinguishedName(certificate.subject),
    'SSL_CLIENT_S_DN_CN',
    commonName(certificate.subject),
    'SSL_CLIENT_I_DN',
    distinguishedName(certificate.issuer),
    'SSL_CLIENT_M_SERIAL',
    certificate.serialNumber,
    'SSL_CLIENT_V_START',
    certificate.validFrom,
    'SSL_CLIENT_V_END',
    certificate.validTo,
    'SSL_CLIENT_FINGERPRINT',
    fingerprint(certificate),
    'SSL_CLIENT_CERT',
    certificate.toString(),
  ]
}

/**
 * RFC 4514: `CN=anna,O=example`, latin-1 for its UTF-8. Node has a line for each part, the last one last, and
 * undefined, whatever its types say, for a name without parts.
 */
export function distinguishedName(lines: string | undefined): string {
  return latin1((lines ?? '').split('\n').reverse().join(','))
}

function commonName(lines: string | undefined): string {
  return latin1(/^CN=(.*)$/m.exec(lines ?? '')?.[1] ?? '')
}

/** Of SHA-1, as nginx has it. */
export function fingerprint(certificate: X509Certificate): string {
  return certificate.fingerprint.replaceAll(':', '').toLowerCase()
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}
