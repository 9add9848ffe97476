/** `tls:` of the site and of its listeners → the Plan's. */
import { basename } from 'node:path'
import { Certificates } from '../tls/certificates.ts'
import { judgeLists } from '../tls/judge-lists.ts'
import { loadAuthorities, loadCertificates, loadTicketKeys } from '../tls/load.ts'
import { type Certificate, CertificateError, readCertificate } from '../tls/read-certificate.ts'
import { absolutePath, type Drawing, existingFile } from './drawing.ts'
import type { HostPlan, ListenerPlan } from './plan.ts'
import { type KeyPath, quote, showPath } from './problem.ts'
import type { ListenSettings } from './settings/listen.ts'
import {
  type CertificateSettings,
  CIPHERS,
  type ListenerTlsSettings,
  type SiteTlsSettings,
} from './settings/tls.ts'
import type {
  CertificateFilesPlan,
  ClientCertificatesPlan,
  HstsPlan,
  SiteTlsPlan,
  TlsPlan,
  TlsVersion,
} from './tls-plan.ts'
import { namesAt } from './tree.ts'

const HTTPS_PORT = 443
const DAY_MS = 86_400_000
const SOON_MS = 14 * DAY_MS
/** What browsers ask of those that want to be in their own lists, s. */
const PRELOAD_SECONDS = 365 * 86_400
const VERSIONS: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

type Own = Exclude<ListenSettings, string | number>
/** What a listener may have otherwise than the site. */
type Common = Pick<SiteTlsSettings, keyof ListenerTlsSettings>

interface Entry {
  readonly plan: CertificateFilesPlan
  /** Where it is written. */
  readonly path: KeyPath
}

export class Tls {
  readonly #drawing: Drawing
  readonly #sets = new Map<string, readonly Entry[]>()

  constructor(drawing: Drawing) {
    this.#drawing = drawing
    this.#sets.set('', this.#entries(drawing.settings.tls.certificates, ['tls', 'certificates']))
  }

  /** The files of the site's own certificates. */
  get ofSite(): readonly CertificateFilesPlan[] {
    return this.#sets.get('')?.map(({ plan }) => plan) ?? []
  }

  /** What a listener speaks. `own`: null for one that is an address alone. */
  listener(own: Own | null, path: KeyPath): TlsPlan {
    const { report, root, settings: all } = this.#drawing
    // What is not written there has a default in `own`, which must not hide the site's.
    const written = new Set(own?.tls === undefined ? [] : namesAt(root, [...path, 'tls']))
    const from = (key: keyof Common): KeyPath =>
      written.has(key) ? [...path, 'tls', key] : ['tls', key]
    const settings: Common = { ...all.tls }
    for (const [key, value] of Object.entries(own?.tls ?? {})) {
      if (written.has(key)) Object.assign(settings, { [key]: value })
    }
    const minVersion = settings['min-version']
    const maxVersion = settings['max-version']
    if (VERSIONS.indexOf(minVersion) > VERSIONS.indexOf(maxVersion)) {
      report.problem(from('max-version'), 'older than min-version')
    }
    if (VERSIONS.indexOf(minVersion) < VERSIONS.indexOf('TLSv1.2')) {
      const message = 'TLS before 1.2 is broken (RFC 8996); what is signed is weakened for it, too'
      report.warning(from('min-version'), message)
    }
    for (const [key, message] of Object.entries(judgeLists(settings))) {
      report.problem(from(key as keyof Common), message)
    }
    return {
      set: this.#set(own, path, written.has('certificates')),
      minVersion,
      maxVersion,
      ciphers: withModern(settings.ciphers),
      groups: settings.groups,
      signatures: settings.signatures,
      preferServerCiphers: settings['prefer-server-ciphers'],
      strictNames: settings['strict-names'],
      sessionSeconds: Math.round(settings['session-timeout'] / 1000),
      handshakeMs: settings['handshake-timeout'],
      handshakes: settings.handshakes,
      clients: this.#clients(settings['client-certificates'], from('client-certificates')),
    }
  }

  /** The name of a listener's certificates. */
  #set(own: Own | null, path: KeyPath, hasOwn: boolean): string {
    const short = own?.certificate ?? ''
    if (short === '' && own !== null && own.key !== '') {
      this.#drawing.report.problem([...path, 'key'], 'a key without a certificate', { key: true })
    }
    if (short === '' && !hasOwn) return ''
    const name = showPath(path)
    const entries =
      short === ''
        ? this.#entries(own?.tls?.certificates ?? [], [...path, 'tls', 'certificates'])
        : [this.#entry({ cert: short, key: own?.key ?? '', ocsp: '' }, [...path, 'certificate'])]
    this.#sets.set(name, entries)
    return name
  }

  #entries(given: SiteTlsSettings['certificates'], path: KeyPath): readonly Entry[] {
    return Array.isArray(given)
      ? given.map((one, i) => this.#entry(one, [...path, i]))
      : [this.#entry(given, path)]
  }

  #entry(one: CertificateSettings, path: KeyPath): Entry {
    const { cert, key, ocsp } = typeof one === 'string' ? { cert: one, key: '', ocsp: '' } : one
    const absolute = (text: string): string =>
      text === '' ? '' : absolutePath(this.#drawing, path, text)
    return { plan: { cert: absolute(cert), key: absolute(key), ocsp: absolute(ocsp) }, path }
  }

  #clients(clients: Common['client-certificates'], path: KeyPath): ClientCertificatesPlan | null {
    if (clients === undefined) return null
    const { mode, depth, ca, crl } = clients
    return {
      mode,
      depth,
      ca: existingFile(this.#drawing, [...path, 'ca'], ca),
      crl: crl === '' ? '' : existingFile(this.#drawing, [...path, 'crl'], crl),
    }
  }

  /** `others`: certificates come from somewhere else as well. */
  finish(
    listeners: readonly ListenerPlan[],
    hosts: readonly HostPlan[],
    others: boolean,
  ): SiteTlsPlan {
    const { settings, report } = this.#drawing
    const { tls } = settings
    const used = new Set(listeners.flatMap((listener) => listener.tls?.set ?? []))
    const ticketFiles = tls.tickets.keys.map((text, i) =>
      existingFile(this.#drawing, ['tls', 'tickets', 'keys', i], text),
    )
    const sets: [string, readonly CertificateFilesPlan[]][] = []
    for (const [name, entries] of this.#sets) {
      if (!used.has(name)) continue
      sets.push([name, entries.map(({ plan }) => plan)])
      const path = name === '' ? ['tls', 'certificates'] : (entries[0]?.path ?? ['listen'])
      if (entries.length > 0) this.#judge(name, entries, listeners, hosts, others)
      else if (!others && !report.isBroken(path)) {
        report.problem(name === '' ? ['listen'] : path, 'TLS needs a certificate', {
          expected: 'tls: { certificates: { cert: site.pem, key: site.key } }',
        })
      }
    }
    this.#checked(['tls', 'client-certificates'], () => loadAuthorities(listeners))
    this.#checked(['tls', 'tickets', 'keys'], () => loadTicketKeys(ticketFiles))
    return {
      sets: Object.fromEntries(sets),
      ticketFiles,
      ticketRotateMs: tls.tickets.rotate,
      redirectPort: this.#redirectPort(listeners),
      hsts: this.#hsts(),
    }
  }

  /** Says what is wrong with a set's certificates, and which hosts they leave out. */
  #judge(
    name: string,
    entries: readonly Entry[],
    listeners: readonly ListenerPlan[],
    hosts: readonly HostPlan[],
    others: boolean,
  ): void {
    const { report } = this.#drawing
    const certificates: Certificate[] = []
    for (const { plan, path } of entries) {
      this.#checked(path, () => {
        for (const pem of loadCertificates([plan])) {
          const certificate = readCertificate(pem)
          certificates.push(certificate)
          for (const each of certificate.warnings) report.warning(path, `${pem.from}: ${each}`)
          const left = certificate.notAfter - Date.now()
          if (left > 0 && left < SOON_MS) {
            const days = Math.floor(left / DAY_MS)
            report.warning(path, `${pem.from}: it expires in ${days} days`)
          }
        }
      })
    }
    if (others || certificates.length === 0) return
    const known = new Certificates(certificates)
    const [listener] = listeners.filter(({ tls }) => tls?.set === name)
    for (const host of hosts) {
      const { name: asked } = host
      const covered = known.find(asked) !== null || (asked.startsWith('*.') && known.has(asked))
      if (asked === '*' || covered) continue
      report.warning(
        ['hosts', asked],
        `no certificate is made out for ${quote(asked)}: its visitors at ${listener?.name ?? ''} get that of ${certificates[0]?.names[0] ?? 'another name'}, and a warning`,
        { key: true },
      )
    }
  }

  #checked(path: KeyPath, check: () => void): void {
    try {
      check()
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      // Whoever checks a site need not be who starts it.
      if (error.isForbidden) this.#drawing.report.warning(path, error.message)
      else this.#drawing.report.problem(path, error.message)
    }
  }

  /** That of the first https listener with one; a port that the kernel chooses cannot be told. */
  #redirectPort(listeners: readonly ListenerPlan[]): number {
    const { settings, report } = this.#drawing
    if (!settings.tls.redirect) return 0
    const secure = listeners.filter(({ scheme }) => scheme === 'https')
    if (secure.length === 0) {
      report.problem(['tls', 'redirect'], 'there is no https:// listener to send visitors to')
    }
    const ports = secure.flatMap(({ address }) => (address.kind === 'tcp' ? [address.port] : []))
    return ports.includes(HTTPS_PORT) ? HTTPS_PORT : (ports.find((port) => port > 0) ?? HTTPS_PORT)
  }

  #hsts(): HstsPlan | null {
    const { hsts } = this.#drawing.settings.tls
    if (hsts === false) return null
    if (hsts === true) {
      return { maxAgeSeconds: PRELOAD_SECONDS, includeSubdomains: false, preload: false }
    }
    const plan: HstsPlan = {
      maxAgeSeconds: Math.round(hsts['max-age'] / 1000),
      includeSubdomains: hsts['include-subdomains'],
      preload: hsts.preload,
    }
    if (plan.preload && (!plan.includeSubdomains || plan.maxAgeSeconds < PRELOAD_SECONDS)) {
      this.#drawing.report.warning(
        ['tls', 'hsts', 'preload'],
        'browsers’ lists take only who has include-subdomains and a max-age of a year or more',
      )
    }
    return plan
  }
}

/** A list without ciphers of TLS 1.3 says nothing of it, as with other servers; to Node it would end it. */
function withModern(ciphers: string): string {
  const names = ciphers.split(':')
  if (names.some((name) => name.startsWith('TLS_'))) return ciphers
  const modern = CIPHERS.split(':').filter((name) => name.startsWith('TLS_'))
  return [...modern, ...names].join(':')
}

/** Routes that only visitors with a certificate may see need a listener that asks for it. */
export function checkCertificateRoutes(
  { report }: Drawing,
  listeners: readonly ListenerPlan[],
  hosts: readonly HostPlan[],
): void {
  if (listeners.some(({ tls }) => tls !== undefined && tls.clients !== null)) return
  const routes = hosts.flatMap((host) => host.routes)
  const route = routes.find(({ filters }) => filters?.certificate === true)
  if (route === undefined) return
  const where = basename(route.source)
  report.problem(['listen'], `${where} has client-certificate, and no listener asks for one`, {
    expected: 'tls: { client-certificates: { ca: staff.pem, mode: optional } }',
    key: true,
  })
}

/** Whoever knows `ssl_certificate` writes certificates and a port, and would serve plain HTTP on it. */
export function checkTlsIsUsed(
  { report, root }: Drawing,
  listeners: readonly ListenerPlan[],
): void {
  if (listeners.some(({ tls }) => tls !== undefined)) return
  const key = namesAt(root, ['tls']).find((name) => name === 'certificates' || name === 'acme')
  if (key === undefined) return
  report.warning(['tls', key], 'no listener speaks TLS', {
    expected: 'listen: https://:443',
    key: true,
  })
}
