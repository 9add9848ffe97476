/** What the supervisor hands to the server for TLS: read by who may read it, never written or logged. */
import type { CertificatePem } from './certificates.ts'

export interface TlsSecrets {
  /** By the name of a set, as in SiteTlsPlan. */
  readonly sets: Readonly<Record<string, readonly CertificatePem[]>>
  /** PEM by path: authorities of visitors' certificates, and what they have revoked. */
  readonly authorities: Readonly<Record<string, string>>
  /** Keys of session tickets, base64: the first closes new ones, the others open old ones. */
  readonly tickets: readonly string[]
}

export const noSecrets: TlsSecrets = { sets: {}, authorities: {}, tickets: [] }
