/** A certificate and its key out of PEM, with a clear answer to what may be wrong with them. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import type { CertificatePem } from './certificates.ts'

export interface Certificate {
  readonly pem: CertificatePem
  /** Equal for the same certificate with the same chain, key and stapled response. */
  readonly id: string
  /** Host names and addresses that it is made out for, in lower case. */
  readonly names: readonly string[]
  /** `rsa`, `ec`, `ed25519`, … */
  readonly keyType: string
  /** In ms since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  /** Its issuer's name; its own where it signed itself. */
  readonly issuer: string
  /** What is wrong with it and does not keep it from being served, a sentence each. */
  readonly warnings: readonly string[]
}

/** A certificate that cannot be served, and the remedy. */
export class CertificateError extends Error {
  /** Another user may be able to. */
  readonly isForbidden: boolean

  constructor(from: string, message: string, options?: ErrorOptions) {
    super(`${from}: ${message}`, options)
    this.name = 'CertificateError'
    const { cause } = this
    this.isForbidden = cause instanceof Error && 'code' in cause && cause.code === 'EACCES'
  }
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Throws a CertificateError. `now`: in ms since 1970. */
export function readCertificate(pem: CertificatePem, now: number = Date.now()): Certificate {
  const { from } = pem
  const chain = readChain(pem)
  const key = readKey(pem)
  const [leaf] = chain as [X509Certificate, ...X509Certificate[]]
  if (!leaf.checkPrivateKey(key)) throw new CertificateError(from, whyNoMatch(chain, key))
  try {
    // Loaded where there are certificates.
    process
      .getBuiltinModule('node:tls')
      .createSecureContext({ cert: pem.cert, key: pem.key, ca: [] })
  } catch (cause) {
    throw new CertificateError(from, whyRefused(cause), { cause })
  }
  const names = namesOf(leaf)
  const notBefore = Date.parse(leaf.validFrom)
  const notAfter = Date.parse(leaf.validTo)
  return {
    pem,
    id: createHash('sha256')
      .update(`${pem.cert}\0${fingerprint(key)}\0${pem.ocsp ?? ''}`)
      .digest('base64'),
    names,
    keyType: key.asymmetricKeyType ?? '',
    notBefore,
    notAfter,
    issuer: commonName(leaf.issuer) || leaf.issuer,
    warnings: warningsOf(chain, names, notBefore, notAfter, now),
  }
}

function readChain({ from, cert }: CertificatePem): X509Certificate[] {
  const blocks = cert.match(BLOCK) ?? []
  if (blocks.length === 0) {
    const hint = cert.startsWith('0') ? '; DER has to become PEM: openssl x509 -inform der' : ''
    throw new CertificateError(from, `no certificate in it: expected PEM${hint}`)
  }
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw new CertificateError(from, `certificate ${i + 1} in it cannot be read`, { cause })
    }
  })
}

function readKey({ from, key }: CertificatePem): KeyObject {
  if (!key.includes('PRIVATE KEY-----')) {
    throw new CertificateError(from, 'no private key with it: expected PEM')
  }
  try {
    return createPrivateKey(key)
  } catch (cause) {
    const locked = key.includes('ENCRYPTED')
    const why = locked
      ? 'its key is locked with a passphrase; openssl pkey -in KEY -out OPEN-KEY takes that off'
      : 'its key cannot be read'
    // The cause could quote the key.
    throw new CertificateError(from, why, locked ? undefined : { cause })
  }
}

function whyNoMatch(chain: readonly X509Certificate[], key: KeyObject): string {
  const at = chain.findIndex((one) => one.checkPrivateKey(key))
  if (at > 0) {
    return `the key belongs to certificate ${at + 1} in it: that one has to come first, then those that lead to its authority`
  }
  return 'the key belongs to another certificate'
}

/** What OpenSSL says of keys and signatures that nobody should rely on. */
function whyRefused(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (text.includes('key too small')) return 'its key is too weak: RSA needs 2048 bits or more'
  if (text.includes('md too weak')) return 'it is signed with SHA-1 or MD5, which no browser takes'
  return `it cannot be used: ${text}`
}

function warningsOf(
  chain: readonly X509Certificate[],
  names: readonly string[],
  notBefore: number,
  notAfter: number,
  now: number,
): string[] {
  const warnings: string[] = []
  const [leaf] = chain as [X509Certificate, ...X509Certificate[]]
  if (now >= notAfter) warnings.push(`it expired on ${leaf.validTo}`)
  else if (now < notBefore) warnings.push(`it is not valid before ${leaf.validFrom}`)
  if (names.length === 0) warnings.push('it is made out for no name')
  for (let i = 1; i < chain.length; i++) {
    if (chain[i - 1]!.checkIssued(chain[i]!)) continue
    warnings.push(
      `certificate ${i + 1} in it did not issue certificate ${i}: the chain is in the wrong order or not this one's`,
    )
    break
  }
  const isSelfSigned = leaf.checkIssued(leaf)
  if (chain.length === 1 && !isSelfSigned && !leaf.ca && isPublic(leaf)) {
    warnings.push('it comes without the certificates between it and its authority')
  }
  return warnings
}

/** Issued by an authority that says where its own certificate is: one that has another above it. */
function isPublic(leaf: X509Certificate): boolean {
  return leaf.infoAccess?.includes('CA Issuers') === true
}

/** `DNS:a.example, IP Address:10.0.0.1`; what holds a comma or a quote comes as JSON text. */
const ALTERNATIVE = /(DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g

function namesOf(leaf: X509Certificate): string[] {
  const names = new Set<string>()
  for (const [, , value = ''] of (leaf.subjectAltName ?? '').matchAll(ALTERNATIVE)) {
    if (!value.startsWith('"')) names.add(value.toLowerCase())
  }
  // RFC 9525 §2: the subject's name counts no more. Old certificates of one's own have nothing else.
  const common = commonName(leaf.subject).toLowerCase()
  if (names.size === 0 && /^[a-z0-9*_.-]+$/.test(common)) names.add(common)
  return [...names]
}

function commonName(name: string): string {
  return /^CN=(.*)$/m.exec(name)?.[1] ?? ''
}

function fingerprint(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('base64')
}
