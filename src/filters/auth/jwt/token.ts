/** JSON Web Tokens in their compact form (RFC 7515 §7.1, RFC 7519). Pure; verifies nothing. */

export interface Token {
  readonly algorithm: string
  /** '' for none. */
  readonly keyId: string
  readonly claims: Readonly<Record<string, unknown>>
  /** What is signed, and the signature. */
  readonly signed: string
  readonly signature: Buffer
}

/** Bytes. */
export const LONGEST_TOKEN = 16_384

const COMPACT = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/

/** Null for what is none, or asks for what we do not understand (RFC 7515 §4.1.11). */
export function parseToken(text: string): Token | null {
  if (text.length > LONGEST_TOKEN) return null
  const parts = COMPACT.exec(text)
  if (parts === null) return null
  const header = json(parts[1]!)
  const claims = json(parts[2]!)
  if (header === null || claims === null) return null
  const { alg, kid, crit, b64 } = header
  if (typeof alg !== 'string' || crit !== undefined || b64 !== undefined) return null
  if (kid !== undefined && typeof kid !== 'string') return null
  const signature = bytes(parts[3]!)
  if (signature === null) return null
  const signed = text.slice(0, text.lastIndexOf('.'))
  return { algorithm: alg, keyId: kid ?? '', claims, signed, signature }
}

function json(part: string): Record<string, unknown> | null {
  const raw = bytes(part)
  if (raw === null) return null
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw))
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** Null where bits beyond the last byte are set: one token has one spelling. */
function bytes(part: string): Buffer | null {
  const decoded = Buffer.from(part, 'base64url')
  return decoded.toString('base64url') === part ? decoded : null
}
