/** Authorities and certificates for tests, by openssl. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Pair {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

export interface Wish {
  /** Host names and addresses; the first is the common name as well. */
  readonly names?: readonly string[]
  readonly key?: 'ec' | 'rsa' | 'weak'
  /** As `openssl x509 -days` has it; below 0: expired. */
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
    const dates =
      days < 0
        ? ['-not_before', '20200101000000Z', '-not_after', '20200201000000Z']
        : ['-days', String(days)]
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
        ...dates,
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
