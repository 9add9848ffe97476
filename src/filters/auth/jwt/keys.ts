/**
 * Keys that tokens are verified with. Each knows the algorithms that it is for: a public key never becomes
 * the secret of an HMAC, whatever a token says (RFC 8725 §3.1).
 */
import {
  constants,
  createHmac,
  createPublicKey,
  type JsonWebKeyInput,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import type { Token } from './token.ts'

export interface Key {
  /** '' for none. */
  readonly id: string
  readonly algorithms: readonly string[]
  readonly verify: (token: Token) => boolean
}

/** Keys of a set beyond these are not looked at. */
const MOST_KEYS = 64
/** RFC 7518 §3.3. */
const LEAST_RSA_BITS = 2048

const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  secp521r1: 'ES512',
}

/** A key set (RFC 7517 §5) or PEM. Keys for other things are left out. Throws an Error without any. */
export function parseKeys(text: string): Key[] {
  const keys = text.includes('-----BEGIN') ? pem(text) : keySet(text)
  if (keys.length === 0) throw new Error('there is no public key in it that signs tokens')
  return keys
}

function pem(text: string): Key[] {
  const blocks = text.match(/-----BEGIN ([A-Z ]+)-----[\s\S]*?-----END \1-----/g) ?? []
  return blocks.slice(0, MOST_KEYS).flatMap((block) => publicKey(createPublicKey(block), '', ''))
}

function keySet(text: string): Key[] {
  const value: unknown = JSON.parse(text)
  const list = (value as { keys?: unknown } | null)?.keys
  if (!Array.isArray(list)) throw new Error('this is no JSON Web Key Set: it has no list keys')
  return list.slice(0, MOST_KEYS).flatMap((each: unknown) => {
    if (typeof each !== 'object' || each === null) return []
    const jwk = each as JsonWebKeyInput['key'] & Record<string, unknown>
    const { use, alg, kid, kty, key_ops: operations } = jwk
    if (use !== undefined && use !== 'sig') return []
    if (Array.isArray(operations) && !operations.includes('verify')) return []
    // A secret has no place among public keys.
    if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return []
    try {
      const key = createPublicKey({ key: jwk, format: 'jwk' })
      const only = typeof alg === 'string' ? alg : ''
      return publicKey(key, typeof kid === 'string' ? kid : '', only)
    } catch {
      // A curve that we do not know: whoever signs with it is refused.
      return []
    }
  })
}

/** `only`: the algorithm that the key says it is for. */
function publicKey(key: KeyObject, id: string, only: string): Key[] {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  let fitting: string[] = []
  if (key.asymmetricKeyType === 'rsa') fitting = modulusLength < LEAST_RSA_BITS ? [] : RSA
  else if (key.asymmetricKeyType === 'ec') fitting = [CURVES[namedCurve] ?? '']
  else if (key.asymmetricKeyType === 'ed25519' || key.asymmetricKeyType === 'ed448') {
    fitting = ['EdDSA']
  }
  const algorithms = fitting.filter((each) => each !== '' && (only === '' || each === only))
  if (algorithms.length === 0) return []
  return [{ id, algorithms, verify: (token) => verifyBy(key, token) }]
}

function verifyBy(key: KeyObject, { algorithm, signed, signature }: Token): boolean {
  const data = Buffer.from(signed)
  if (algorithm === 'EdDSA') return verify(null, data, key, signature)
  const hash = `sha${algorithm.slice(2)}`
  if (algorithm.startsWith('ES')) {
    return verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature)
  }
  const isPss = algorithm.startsWith('PS')
  const padding = isPss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
  return verify(hash, data, { key, padding, ...(isPss ? { saltLength } : {}) }, signature)
}

/** RFC 7518 §3.2: no shorter than the hash of the smallest algorithm. */
const LEAST_SECRET = 32

/** Throws an Error for one that is too short to be one. */
export function secretKey(secret: Buffer): Key {
  if (secret.length < LEAST_SECRET) {
    throw new Error(`a secret of ${secret.length} bytes can be guessed: ${LEAST_SECRET} at least`)
  }
  return {
    id: '',
    algorithms: ['HS256', 'HS384', 'HS512'],
    verify: ({ algorithm, signed, signature }) => {
      const made = createHmac(`sha${algorithm.slice(2)}`, secret)
        .update(signed)
        .digest()
      return made.length === signature.length && timingSafeEqual(made, signature)
    },
  }
}
