/** TLS towards visitors, in the Plan. Plain data; of keys it has only where they are. */

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

/** Where certificates are. Absolute paths. */
export interface CertificateFilesPlan {
  /** A PEM file, a folder as certbot or Kubernetes fills it, or a pattern for either. */
  readonly cert: string
  /** PEM file; '' where it is in the same file, or beside it under a usual name. */
  readonly key: string
  /** An OCSP response in DER; '' for none. */
  readonly ocsp: string
}

/** Visitors are asked for certificates. */
export interface ClientCertificatesPlan {
  /** Without a good one: 400 for every request, or only what a route asks for is refused. */
  readonly mode: 'require' | 'optional'
  /** Absolute: PEM of the authorities whose certificates are good. */
  readonly ca: string
  /** Absolute: PEM of what they have revoked; '' for none. */
  readonly crl: string
  /** Most certificates between a visitor's and its authority's own. */
  readonly depth: number
}

/** What one listener speaks. */
export interface TlsPlan {
  /** Which of `SiteTlsPlan.sets` it has. */
  readonly set: string
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** As OpenSSL lists them: those up to TLS 1.2, and those of TLS 1.3. */
  readonly ciphers: string
  readonly groups: string
  /** '' for OpenSSL's own. */
  readonly signatures: string
  readonly preferServerCiphers: boolean
  /** Who asks for a name that no certificate is made out for, or for none, is refused. */
  readonly strictNames: boolean
  /** How long a session can be resumed, s; 0: never. */
  readonly sessionSeconds: number
  /** From the first byte to the end of the handshake, ms. */
  readonly handshakeMs: number
  /** At a time, in each thread. */
  readonly handshakes: number
  readonly clients: ClientCertificatesPlan | null
}

export interface HstsPlan {
  readonly maxAgeSeconds: number
  readonly includeSubdomains: boolean
  readonly preload: boolean
}

/** What the listeners of a site have in common. */
export interface SiteTlsPlan {
  /** Certificates by set: '' for the site's, `listen[1]` for what a listener has instead. */
  readonly sets: Readonly<Record<string, readonly CertificateFilesPlan[]>>
  /** Files that the keys of session tickets are made from, the newest first; empty: they are made up. */
  readonly ticketFiles: readonly string[]
  /** How often new keys are made up, ms. */
  readonly ticketRotateMs: number
  /** Who comes without TLS is sent to the same place with it. The port to name; 0: that is off. */
  readonly redirectPort: number
  /** Null: nothing is promised. */
  readonly hsts: HstsPlan | null
}
