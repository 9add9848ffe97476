/** Authorities and certificates for tests, by openssl. */
import { execFileSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { issue, keyPem, newKey } from '../../../src/acme/x509.ts'

export interface Pair {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

export interface Wish {
  /** Host names and addresses; the first is the common name as well. */
  readonly names?: readonly string[]
  readonly key?: 'ec' | 'rsa' | 'weak'
  readonly days?: number
  readonly by?: Pair
  readonly ca?: boolean
  readonly subject?: string
}

const KEYS = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
  weak: ['-newkey', 'rsa:1024'],
}

/** A new certificate with its key; signed by itself unless `by` is given. */
export function pair(wish: Wish = {}): Pair {
  const { names = ['localhost'], key = 'ec', days = 30, by, ca = false } = wish
  const folder = mkdtempSync(join(tmpdir(), 'portico-cert-'))
  const at = (name: string): string => join(folder, name)
  try {
    const alternatives = names.map((name) =>
      /^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`,
    )
    const extensions = [
      ...(names.length === 0 || ca ? [] : [`subjectAltName=${alternatives.join(',')}`]),
      `basicConstraints=critical,CA:${ca ? 'TRUE' : 'FALSE'}`,
    ]
    const subject = wish.subject ?? `/CN=${names[0] ?? 'nameless'}`
    if (by !== undefined) {
      writeFileSync(at('ca.pem'), by.cert)
      writeFileSync(at('ca.key'), by.key)
    }
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-nodes',
        ...KEYS[key],
        '-keyout',
        at('key'),
        '-out',
        at('cert'),
        '-subj',
        subject,
        '-days',
        String(days),
        ...extensions.flatMap((one) => ['-addext', one]),
        ...(by === undefined ? [] : ['-CA', at('ca.pem'), '-CAkey', at('ca.key')]),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    return { cert: readFileSync(at('cert'), 'utf8'), key: readFileSync(at('key'), 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** An authority of one's own. */
export function authority(name = 'Test authority', by?: Pair): Pair {
  return pair({ names: [name], ca: true, ...(by === undefined ? {} : { by }) })
}

/** One whose time was over long ago, which openssl makes none of. */
export function expired(name: string): Promise<Pair> {
  return between(name, '2020-01-01T00:00:00Z', '2020-02-01T00:00:00Z')
}

/** One whose time has not come. */
export function future(name: string): Promise<Pair> {
  return between(name, '2099-01-01T00:00:00Z', '2099-02-01T00:00:00Z')
}

async function between(name: string, from: string, to: string): Promise<Pair> {
  const key = await newKey('p256')
  const cert = issue(
    {
      names: [name],
      subject: name,
      publicKey: createPublicKey(key),
      from: new Date(from),
      to: new Date(to),
      use: 'server',
    },
    { name, key },
  )
  return { cert, key: keyPem(key) }
}
