/** From what a site file says of certificates to the files: folders, patterns, keys beside. */
import { globSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { CertificateFilesPlan } from '../site/tls-plan.ts'
import { CertificateError } from './read-certificate.ts'

/** One certificate's files; the key may be in the same one. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
  /** '' for none. */
  readonly ocsp: string
}

/** As certbot, Kubernetes and acme.sh call them in a folder. */
const IN_FOLDER: readonly (readonly [string, string])[] = [
  ['fullchain.pem', 'privkey.pem'],
  ['tls.crt', 'tls.key'],
  ['fullchain.cer', 'key.pem'],
  ['cert.pem', 'key.pem'],
]

/** What one entry means now. Throws a CertificateError where it means nothing. */
export function findCertificates(entry: CertificateFilesPlan): CertificateFiles[] {
  const { cert, key, ocsp } = entry
  if (!/[*?[{]/.test(cert) || isThere(cert)) {
    if (isFolder(cert)) return [inFolder(cert, ocsp)]
    if (!isThere(cert)) throw new CertificateError(cert, 'no such file')
    if (key !== '' && !isThere(key)) throw new CertificateError(key, 'no such file')
    return [{ cert, key: key === '' ? keyBeside(cert) : key, ocsp }]
  }
  const found = globSync(cert).sort()
  // A pattern such as `certs/*` meets keys, and `live/*` certbot's README.
  const files = found.flatMap((path): CertificateFiles[] => {
    if (isFolder(path)) return hasCertificate(path) ? [inFolder(path, '')] : []
    if (/\.key$|-key\.pem$|privkey\.pem$|^README/.test(basename(path))) return []
    return [{ cert: path, key: keyBeside(path), ocsp: '' }]
  })
  if (files.length === 0) throw new CertificateError(cert, 'this pattern matches no certificate')
  return files
}

function hasCertificate(folder: string): boolean {
  return IN_FOLDER.some(([cert, key]) => isThere(join(folder, cert)) && isThere(join(folder, key)))
}

function inFolder(folder: string, ocsp: string): CertificateFiles {
  for (const [cert, key] of IN_FOLDER) {
    const pair = { cert: join(folder, cert), key: join(folder, key) }
    if (isThere(pair.cert) && isThere(pair.key)) return { ...pair, ocsp }
  }
  const names = IN_FOLDER.map((pair) => pair.join(' and ')).join(', or ')
  throw new CertificateError(folder, `no certificate in this folder: expected ${names}`)
}

/** `a.key` for `a.pem` or `a.crt`, `a-key.pem` as mkcert writes it, `a.pem.key` as HAProxy reads it. */
function keyBeside(cert: string): string {
  const stem = join(dirname(cert), basename(cert).replace(/\.[^.]*$/, ''))
  const usual = [`${stem}.key`, `${stem}-key.pem`, `${cert}.key`]
  if (basename(cert) === 'fullchain.pem') usual.push(join(dirname(cert), 'privkey.pem'))
  return usual.find((path) => path !== cert && isThere(path)) ?? cert
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
