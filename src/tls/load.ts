/** Reads what TLS needs of the disk: by whoever may, which is the supervisor, for the server, which may not. */
import { createHash, hkdfSync, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ListenerPlan } from '../site/plan.ts'
import type { CertificateFilesPlan } from '../site/tls-plan.ts'
import type { CertificatePem } from './certificates.ts'
import { type CertificateFiles, findCertificates } from './find-files.ts'
import { CertificateError } from './read-certificate.ts'

const KEY_BLOCK = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]*?-----END \1PRIVATE KEY-----/

/** Every certificate of `entries`, in their order. Throws a CertificateError. */
export function loadCertificates(entries: readonly CertificateFilesPlan[]): CertificatePem[] {
  return entries.flatMap((entry) => findCertificates(entry).map(readFiles))
}

function readFiles({ cert, key, ocsp }: CertificateFiles): CertificatePem {
  const certText = read(cert)
  const keyText = key === cert ? certText : read(key)
  const block = KEY_BLOCK.exec(keyText)?.[0] ?? ''
  if (block === '' && key === cert) {
    throw new CertificateError(cert, 'no private key in it or beside it; name it with `key`')
  }
  return {
    from: cert,
    cert: certText.replace(new RegExp(KEY_BLOCK, 'g'), ''),
    key: block === '' ? keyText : block,
    ...(ocsp === '' ? {} : { ocsp: readBytes(ocsp).toString('base64') }),
  }
}

function read(path: string): string {
  return readBytes(path).toString('latin1')
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new CertificateError(path, whyUnread(cause), { cause })
  }
}

function whyUnread(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : ''
  if (code === 'ENOENT') return 'no such file'
  if (code === 'EACCES') return 'no right to read it; keys are read as the user who starts the site'
  return cause instanceof Error ? cause.message : String(cause)
}

/** Texts by path: of authorities and of what they have revoked. Throws a CertificateError. */
export function loadAuthorities(listeners: readonly ListenerPlan[]): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const { tls } of listeners) {
    const clients = tls?.clients
    if (clients === null || clients === undefined) continue
    texts[clients.ca] ??= readAuthorities(clients.ca)
    if (clients.crl !== '') texts[clients.crl] ??= readRevoked(clients.crl)
  }
  return texts
}

function readAuthorities(path: string): string {
  const text = read(path)
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new CertificateError(path, 'no certificate in it: expected PEM')
  for (const block of blocks) {
    try {
      new X509Certificate(block)
    } catch (cause) {
      throw new CertificateError(path, 'a certificate in it cannot be read', { cause })
    }
  }
  return text
}

function readRevoked(path: string): string {
  const text = read(path)
  if (!text.includes('BEGIN X509 CRL')) {
    throw new CertificateError(path, 'no list of revoked certificates in it: expected PEM')
  }
  return text
}

/** Bytes of a session ticket's keys: 16 of its name, 16 that sign it, 16 that close it. */
export const TICKET_KEY = 48
const LEAST_SECRET = 32

/** Keys of session tickets out of files that machines share, base64. Throws a CertificateError. */
export function loadTicketKeys(paths: readonly string[]): string[] {
  return paths.map((path) => {
    const secret = readBytes(path)
    if (secret.length < LEAST_SECRET) {
      throw new CertificateError(path, `${LEAST_SECRET} bytes or more: openssl rand -out FILE 80`)
    }
    const key = hkdfSync('sha256', secret, '', 'portico session tickets', TICKET_KEY)
    return Buffer.from(key).toString('base64')
  })
}

export function newTicketKey(): string {
  return randomBytes(TICKET_KEY).toString('base64')
}

/** Equal for equal secrets, and tells nothing of them. */
export function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64')
}
