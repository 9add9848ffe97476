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
  return { certificate: new X509Certificate(asPem(raw)), error, depth: depthOf(link!) }
}

/**
 * OpenSSL looks for PEM first wherever it is given bytes: of DER with the PEM of another certificate in it,
 * in a comment, it would read the other one. Nothing of what the visitor wrote can be taken for that here.
 */
function asPem(raw: Uint8Array): string {
  const text = Buffer.from(raw).toString('base64').replace(/.{64}/g, '$&\n')
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`
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
