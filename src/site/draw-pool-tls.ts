/** `pools.NAME.tls` → the Plan's. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { type Drawing, existingFile } from './drawing.ts'
import type { TargetPlan } from './plan.ts'
import { type PoolTlsPlan, SERVERS_HOST, type TlsVersion, VISITORS_HOST } from './pool-tls-plan.ts'
import type { KeyPath } from './problem.ts'
import type { PoolTlsSettings } from './settings/pool-tls.ts'
import { nodeAt } from './tree.ts'

/**
 * Whether the visitor's Host is passed on where the owner does not say: not to servers that are asked over
 * TLS by name, whose certificates, and whose sites, are of that name.
 */
export function preservesHost(servers: readonly Pick<TargetPlan, 'scheme' | 'address'>[]): boolean {
  return !servers.every(
    (server) =>
      isSecure(server) && server.address.kind === 'tcp' && isIP(server.address.host) === 0,
  )
}

function isSecure({ scheme }: Pick<TargetPlan, 'scheme'>): boolean {
  return scheme === 'https' || scheme === 'h2'
}

/** Undefined where no server of the pool speaks TLS. */
export function drawPoolTls(
  drawing: Drawing,
  path: KeyPath,
  settings: PoolTlsSettings,
  preserveHost: boolean,
  servers: readonly Pick<TargetPlan, 'scheme'>[],
): PoolTlsPlan | undefined {
  const { report } = drawing
  if (!servers.some(isSecure)) {
    if (nodeAt(drawing.root, path) !== undefined && servers.length > 0) {
      const expected = 'a server such as https://10.0.0.1:443'
      report.problem(path, 'no server of this pool is asked over TLS', { expected, key: true })
    }
    return undefined
  }
  if (!settings.verify) {
    const sentence =
      'certificates of servers are not verified: whoever can answer at their addresses reads and changes everything'
    report.warning([...path, 'verify'], sentence)
  }
  const serverName = settings['server-name']
  const { certificate, key } = drawCertificate(drawing, path, settings)
  return {
    ca: pemFile(drawing, [...path, 'ca'], settings.ca, 'CERTIFICATE'),
    verify: settings.verify,
    serverName: serverName === '' ? (preserveHost ? VISITORS_HOST : SERVERS_HOST) : serverName,
    certificate,
    key,
    minVersion: versionOf(settings['min-version']),
    alpn: settings.alpn,
  }
}

function versionOf(written: string): TlsVersion {
  return written === '1.0' ? 'TLSv1' : (`TLSv${written}` as TlsVersion)
}

function drawCertificate(
  drawing: Drawing,
  path: KeyPath,
  settings: PoolTlsSettings,
): { readonly certificate: string; readonly key: string } {
  if ((settings.certificate === '') !== (settings.key === '')) {
    const has = settings.key === '' ? 'certificate' : 'key'
    const lacks = has === 'key' ? 'certificate' : 'key'
    drawing.report.problem([...path, has], `it needs its ${lacks}`, { expected: `${lacks}: FILE` })
    return { certificate: '', key: '' }
  }
  const certificate = pemFile(
    drawing,
    [...path, 'certificate'],
    settings.certificate,
    'CERTIFICATE',
  )
  const key = pemFile(drawing, [...path, 'key'], settings.key, 'PRIVATE KEY')
  if (certificate !== '' && key !== '') checkPair(drawing, [...path, 'key'], certificate, key)
  return { certificate, key }
}

/** '' for none, and for what is no such file, which is reported. */
function pemFile(drawing: Drawing, path: KeyPath, text: string, what: string): string {
  if (text === '') return ''
  const file = existingFile(drawing, path, text)
  const content = contentOf(file)
  if (content === null) return ''
  if (new RegExp(`-----BEGIN [A-Z ]*${what}-----`).test(content)) return file
  const expected = `a file with -----BEGIN ${what}-----`
  drawing.report.problem(path, `no PEM file: ${file}`, { expected })
  return ''
}

function contentOf(file: string): string | null {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return null
  }
}

function checkPair(drawing: Drawing, path: KeyPath, certificate: string, key: string): void {
  const { createPrivateKey, X509Certificate } = process.getBuiltinModule('node:crypto')
  try {
    const own = new X509Certificate(readFileSync(certificate))
    if (own.checkPrivateKey(createPrivateKey(readFileSync(key)))) return
    drawing.report.problem(path, `not the key of ${certificate}`)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    drawing.report.problem(path, `certificate and key cannot be read: ${why}`)
  }
}
