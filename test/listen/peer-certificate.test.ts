import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { type PeerLink, readPeerCertificate } from '../../src/listen/peer-certificate.ts'

const folder = mkdtempSync(join(tmpdir(), 'portico-certificate-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** PEM of a certificate for a name, with a comment within it. */
function issue(name: string, comment: string): string {
  const at = (file: string): string => join(folder, `${name}.${file}`)
  const hex = Buffer.from(comment).toString('hex')
  const extension = hex === '' ? '' : `1.2.3.4=DER:${hex}`
  writeFileSync(
    at('conf'),
    `[req]\ndistinguished_name=name\nx509_extensions=more\nprompt=no\n[name]\nCN=${name}\n[more]\n${extension}\n`,
  )
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout']
  execFileSync(
    'openssl',
    ['req', '-x509', ...key, at('key'), '-out', at('pem'), '-config', at('conf')],
    { stdio: 'ignore' },
  )
  return readFileSync(at('pem'), 'latin1')
}

it('is the one that was shown, whatever is written in it', () => {
  const shown = new X509Certificate(issue('mallory', `\n${issue('admin', '')}`))
  const link: { raw: Uint8Array; issuerCertificate?: PeerLink } = { raw: shown.raw }
  link.issuerCertificate = link
  expect(readPeerCertificate(link, '')?.certificate.subject).toBe('CN=mallory')
})
