/** Signed requests of ACME: flattened JSON Web Signatures (RFC 7515) with ES256, and HS256 for RFC 8555 §7.3.4. */
import { createHash, createHmac, createPublicKey, type KeyObject, sign } from 'node:crypto'

export interface Jws {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

type Header = Readonly<Record<string, unknown>>

/** Of a P-256 key, its members in the order of RFC 7638. */
export function publicJwk(key: KeyObject): Readonly<Record<'crv' | 'kty' | 'x' | 'y', string>> {
  const { crv = '', kty = '', x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  return { crv, kty, x, y } as Record<'crv' | 'kty' | 'x' | 'y', string>
}

/** RFC 7638: what challenges are answered with, behind their token. */
export function thumbprint(key: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify(publicJwk(key)))
    .digest('base64url')
}

/** `payload`: undefined for a POST that only asks (RFC 8555 §6.3). */
export function signJws(key: KeyObject, header: Header, payload: unknown): Jws {
  const parts = encode({ alg: 'ES256', ...header }, payload)
  const input = Buffer.from(`${parts.protected}.${parts.payload}`)
  const signature = sign('sha256', input, { key, dsaEncoding: 'ieee-p1363' })
  return { ...parts, signature: signature.toString('base64url') }
}

/** With a secret that the CA has given out: `secret` is base64url. */
export function macJws(secret: string, header: Header, payload: unknown): Jws {
  const parts = encode({ alg: 'HS256', ...header }, payload)
  const signature = createHmac('sha256', Buffer.from(secret, 'base64url'))
    .update(`${parts.protected}.${parts.payload}`)
    .digest('base64url')
  return { ...parts, signature }
}

function encode(header: Header, payload: unknown): Omit<Jws, 'signature'> {
  return {
    protected: Buffer.from(JSON.stringify(header)).toString('base64url'),
    payload:
      payload === undefined ? '' : Buffer.from(JSON.stringify(payload)).toString('base64url'),
  }
}
