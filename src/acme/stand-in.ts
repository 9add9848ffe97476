/** What is served until there is something better: a certificate that signs itself. */
import { createPublicKey } from 'node:crypto'
import type { CertificatePem } from '../tls/certificates.ts'
import { issue, keyPem, newKey } from './x509.ts'

const LIFE_MS = 365 * 86_400_000
const SKEW_MS = 3_600_000
/** More names in one certificate are refused by some. */
const MOST_NAMES = 100

export async function standIn(names: readonly string[]): Promise<CertificatePem> {
  const key = await newKey('p256')
  const now = Date.now()
  const cert = issue(
    {
      names: names.slice(0, MOST_NAMES),
      subject: 'waiting for a certificate',
      publicKey: createPublicKey(key),
      from: new Date(now - SKEW_MS),
      to: new Date(now + LIFE_MS),
      use: 'server',
    },
    { name: 'waiting for a certificate', key },
  )
  return { from: 'stand-in', cert, key: keyPem(key) }
}
