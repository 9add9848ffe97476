/** A visitor's certificate, out of what node:tls tells of it. */
import { X509Certificate } from 'node:crypto'
import type { PeerCertificate } from './secure-stream.ts'

/** One link of the chain as `getPeerCertificate(true)` gives it; the last one is its own issuer. */
export interface PeerLink {
  readonly raw?: Uint8Array
  readonly issuerCertificate?: PeerLink
}

/** `error`: what OpenSSL thinks of it. */
export function readPeerCertificate(
  link: PeerLink | null | undefined,
  error: string,
): PeerCertificate | null {
  const raw = link?.raw
  if (raw === undefined) return null
  return { certificate: new X509Certificate(raw), error, depth: depthOf(link!) }
}

function depthOf(leaf: PeerLink): number {
  let between = -1
  for (let link = leaf; ; between++) {
    const issuer = link.issuerCertificate
    if (issuer === undefined) return -1
    if (issuer === link) return Math.max(0, between)
    link = issuer
  }
}
