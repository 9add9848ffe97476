/** What the two kinds of TLS streams have in common: how they are begun, and what is known of them. */
import type { X509Certificate } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import type { ByteStream, Connection } from './byte-stream.ts'

/** What a connection is to be secured with. */
export interface SecureOptions {
  readonly context: SecureContext
  /** What we speak, the dearest first, as ALPN has it; null: the visitor's wishes are not heard. */
  readonly protocols: Uint8Array | null
  /** The visitor is asked for a certificate. Whether it is a good one is for whoever asks to judge. */
  readonly asksCertificate: boolean
  /** An OCSP response in DER, for visitors who understand it; null: none. */
  readonly ocsp: Uint8Array | null
}

/** Who has a connection secured. Of the last two one is called, unless the connection is lost before. */
export interface Securing {
  /** From now on it is this stream that lives. Returns what was read already. */
  begun(stream: SecureStream): Uint8Array
  /** The connection goes on with what is returned. */
  done(stream: SecureStream): Connection
  /** The visitor has been sent its alert; the stream closes by itself. */
  failed(error: NodeJS.ErrnoException): void
}

/** The visitor's certificate. */
export interface PeerCertificate {
  readonly certificate: X509Certificate
  /** Why it is none to rely on, as OpenSSL calls it; '' for a good one. */
  readonly error: string
  /** Certificates between it and its authority's own; -1: unknown. */
  readonly depth: number
}

export interface SecureStream extends ByteStream {
  /** `TLSv1.3` */
  readonly protocol: string
  /** Its name at OpenSSL: `TLS_AES_256_GCM_SHA384`, `ECDHE-RSA-AES128-GCM-SHA256`. */
  readonly cipher: string
  /** Chosen by ALPN; '' for none. */
  readonly alpn: string
  /** A session was resumed. */
  readonly resumed: boolean
  /** Null: none was sent. Reading it costs as much as a request. */
  readonly peerCertificate: PeerCertificate | null
}
