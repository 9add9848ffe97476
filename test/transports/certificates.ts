/** CAs and certificates of Debian's openssl, for servers that tests talk to over TLS. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** PEM files. */
export interface Certificate {
  readonly certificate: string
  readonly key: string
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** A CA in a folder of its own. */
export class Authority {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'portico-ca-'))
  readonly file: string = this.path('ca.pem')
  #count = 0

  constructor(name = 'Test CA') {
    // Servers that drop their rights read here, too; keys stay root's.
    chmodSync(this.folder, 0o755)
    this.#openssl(
      'req',
      '-x509',
      ...EC,
      '-keyout',
      this.path('ca.key'),
      '-out',
      this.file,
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
    )
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  get pem(): string {
    return readFileSync(this.file, 'latin1')
  }

  /** For these names (`DNS:localhost`, `IP:127.0.0.1`). `days` below 0: it has expired. */
  issue(names: readonly string[], days = 30): Certificate {
    const certificate = this.path(`${++this.#count}.pem`)
    const key = this.path(`${this.#count}.key`)
    const request = this.path('request.csr')
    const extensions = this.path('extensions')
    writeFileSync(extensions, `subjectAltName=${names.join(',')}\n`)
    const subject = `/CN=${names[0]?.replace(/^\w+:/, '')}`
    this.#openssl('req', ...EC, '-keyout', key, '-out', request, '-subj', subject)
    this.#openssl(
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      this.file,
      '-CAkey',
      this.path('ca.key'),
      '-CAcreateserial',
      '-days',
      String(days),
      '-extfile',
      extensions,
      '-out',
      certificate,
    )
    return { certificate, key }
  }

  /** One that is signed by itself. */
  selfSigned(name: string): Certificate {
    const certificate = this.path(`${++this.#count}.pem`)
    const key = this.path(`${this.#count}.key`)
    this.#openssl(
      'req',
      '-x509',
      ...EC,
      '-keyout',
      key,
      '-out',
      certificate,
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=DNS:${name}`,
    )
    return { certificate, key }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: this.folder })
  }
}

/** What an `ssl` server of nginx needs. */
export function nginxTls({ certificate, key }: Certificate): string {
  return `ssl_certificate ${certificate}; ssl_certificate_key ${key};`
}
