/**
 * A site's own authority, for names that no CA knows: localhost, names of a local network, IP addresses.
 * Its root lives in the site's state, its leaves in memory, a day each.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { CertificatePem } from '../tls/certificates.ts'
import type { Life } from './due.ts'
import { issue, keyPem, newKey } from './x509.ts'

const ROOT_MS = 10 * 365 * 86_400_000
/** A root this close to its end is replaced. */
const ROOT_LEFT_MS = 30 * 86_400_000
const LEAF_MS = 86_400_000
/** Clocks differ. */
const SKEW_MS = 3_600_000

export interface Leaf extends CertificatePem, Life {
  readonly issuer: string
}

export class Authority {
  readonly #key: KeyObject
  readonly #name: string
  readonly #notAfter: number

  private constructor(pem: string, key: KeyObject) {
    const root = new X509Certificate(pem)
    this.#key = key
    this.#name = root.subject.replace(/^CN=/, '')
    this.#notAfter = Date.parse(root.validTo)
  }

  /** Of its root certificate, in the folder of an authority. */
  static rootFile(folder: string): string {
    return join(folder, 'root.pem')
  }

  /** Makes the root where there is none; whoever trusts it trusts whoever reads its key. */
  static async open(folder: string): Promise<Authority> {
    const [file, keyFile] = [Authority.rootFile(folder), join(folder, 'root.key')]
    const kept = readRoot(file, keyFile)
    if (kept !== null) return new Authority(kept.pem, kept.key)
    const key = await newKey('p256')
    const now = Date.now()
    const name = `Portico on ${hostname()
      .replace(/[^A-Za-z0-9.-]/g, '_')
      .slice(0, 40)} ${new Date(now).getUTCFullYear()}`
    const pem = issue(
      {
        names: [],
        subject: name,
        publicKey: createPublicKey(key),
        from: new Date(now - SKEW_MS),
        to: new Date(now + ROOT_MS),
        use: 'authority',
      },
      { name, key },
    )
    mkdirSync(folder, { recursive: true, mode: 0o755 })
    replaceFile(keyFile, keyPem(key), 0o600)
    replaceFile(file, pem, 0o644)
    return new Authority(pem, key)
  }

  async leaf(names: readonly string[]): Promise<Leaf> {
    const key = await newKey('p256')
    const now = Date.now()
    const [from, to] = [now - SKEW_MS, Math.min(now + LEAF_MS, this.#notAfter)]
    const cert = issue(
      {
        names,
        subject: '',
        publicKey: createPublicKey(key),
        from: new Date(from),
        to: new Date(to),
        use: 'server',
      },
      { name: this.#name, key: this.#key },
    )
    return {
      from: 'our own authority',
      cert,
      key: keyPem(key),
      notBefore: from,
      notAfter: to,
      issuer: this.#name,
    }
  }
}

/** Null: there is none, or none that can still be used. */
function readRoot(file: string, keyFile: string): { pem: string; key: KeyObject } | null {
  try {
    const pem = readFileSync(file, 'latin1')
    const key = createPrivateKey(readFileSync(keyFile, 'latin1'))
    const root = new X509Certificate(pem)
    const lives = Date.parse(root.validTo) - Date.now() > ROOT_LEFT_MS
    return lives && root.checkPrivateKey(key) ? { pem, key } : null
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // What is there and cannot be read must not be replaced: people trust it.
    if (code === 'EACCES' || code === 'EISDIR' || code === 'ENOTDIR') throw error
    return null
  }
}

function replaceFile(path: string, text: string, mode: number): void {
  const draft = `${path}.new`
  writeFileSync(draft, text, { mode })
  // The mode of one that was left behind, and what a umask took.
  chmodSync(draft, mode)
  renameSync(draft, path)
}
