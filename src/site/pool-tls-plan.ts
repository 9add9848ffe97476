/** TLS to the servers of a pool. Files are read when a generation starts: no key is ever in a Plan. */
export interface PoolTlsPlan {
  /** Absolute PEM file of the CAs that sign the servers' certificates; '' for the system's. */
  readonly ca: string
  /** False: anybody may answer in a server's name. */
  readonly verify: boolean
  /** What the certificate has to be for (and SNI): a name, or one of the two below. */
  readonly serverName: string
  /** Absolute PEM files of the certificate that we show; both '' for none. */
  readonly certificate: string
  readonly key: string
  readonly minVersion: TlsVersion
  /** Protocols that are offered (RFC 7301), best first; empty: none. */
  readonly alpn: readonly string[]
}

/** As OpenSSL and Node call them. */
export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

/** In place of a name: the host that the visitor asked for; that of the server's address. As nginx has them. */
export const VISITORS_HOST = '$host'
export const SERVERS_HOST = '$proxy_host'

/** Of a pool that says nothing about it. */
export const PLAIN_TLS: PoolTlsPlan = {
  ca: '',
  verify: true,
  serverName: VISITORS_HOST,
  certificate: '',
  key: '',
  minVersion: 'TLSv1.2',
  alpn: ['http/1.1'],
}
