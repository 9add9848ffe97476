/**
 * The supervisor's part of TLS: reads certificates, hands them to the server, and goes on doing so when
 * they change. It outlives every generation, as the keys of session tickets do.
 */

import type { ListenerPlan, SitePlan } from '../site/plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { CertificatePem } from './certificates.ts'
import { expiring, invalid } from './expiry.ts'
import { digest, loadAuthorities, loadCertificates, loadTicketKeys, newTicketKey } from './load.ts'
import { type Certificate, readCertificate } from './read-certificate.ts'
import { noSecrets, type TlsSecrets } from './secrets.ts'
import { type FileWatch, watchFiles } from './watch-files.ts'

/** Beside the newest key of tickets, so many still open what they closed. */
const OLD_KEYS = 2
const DAY_MS = 86_400_000
/** A renewed certificate may be there before its key is, ms. */
const RETRY_MS = 2_000

/** What of a plan concerns TLS. */
type TlsSite = Pick<SitePlan, 'tls' | 'listeners'>

/** A certificate that is being served, as it is told. */
export interface ServedCertificate {
  /** The file, or who supplied it. */
  readonly from: string
  readonly names: readonly string[]
  readonly issuer: string
  /** ISO 8601. */
  readonly expires: string
  /** Below 0: it has expired. */
  readonly days: number
}

export class TlsKeeper {
  readonly #logger: Logger
  readonly #changed: (secrets: TlsSecrets) => void
  /** By who supplied them. */
  readonly #supplied = new Map<string, readonly CertificatePem[]>()
  /** Base64, the newest first. */
  #keys: readonly string[] = [newTicketKey()]
  #site: TlsSite | null = null
  #certificates: readonly Certificate[] = []
  /** What was read already. */
  readonly #known = new Map<string, Certificate>()
  #told = ''
  #watch: FileWatch | null = null
  #rotation: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #daily: NodeJS.Timeout | undefined

  /** `changed`: what is served has been replaced by these. */
  constructor(logger: Logger, changed: (secrets: TlsSecrets) => void) {
    this.#logger = logger
    this.#changed = changed
  }

  /** What a server of this plan needs. Throws a CertificateError. */
  load(site: TlsSite): TlsSecrets {
    const { tls, listeners } = site
    if (tls === undefined) return noSecrets
    const supplied = [...this.#supplied.values()].flat()
    const sets = Object.entries(tls.sets).map(([name, entries]) => {
      const own = loadCertificates(entries)
      for (const pem of own) this.#read(pem)
      return [name, name === '' ? [...own, ...supplied] : own] as const
    })
    const keys = tls.ticketFiles.length === 0 ? this.#keys : loadTicketKeys(tls.ticketFiles)
    return {
      sets: Object.fromEntries(sets),
      authorities: loadAuthorities(listeners),
      tickets: keys,
    }
  }

  /** This plan is served now, with these. */
  use(site: TlsSite, secrets: TlsSecrets): void {
    this.#site = site
    this.#note(secrets)
    this.#stop()
    const { tls } = site
    if (tls === undefined) return
    this.#watch = watchFiles(filesOf(site), () => this.#look())
    if (tls.ticketFiles.length === 0) {
      this.#rotation = setInterval(() => this.#rotate(), tls.ticketRotateMs).unref()
    }
    this.#warn()
    this.#daily = setInterval(() => this.#warn(), DAY_MS).unref()
    // What changed, or was supplied, since `secrets` were read.
    this.#look()
  }

  /** More certificates, for the site's own set, in place of those that `by` supplied before. */
  supply(by: string, certificates: readonly CertificatePem[]): void {
    this.#supplied.set(
      by,
      certificates.filter((pem) => this.#isGood(pem)),
    )
    if (this.#site !== null) this.#look()
  }

  #isGood(pem: CertificatePem): boolean {
    try {
      this.#read(pem)
      return true
    } catch (error) {
      this.#logger.error(error instanceof Error ? error.message : String(error))
      return false
    }
  }

  /** What is served now. */
  get served(): readonly ServedCertificate[] {
    const now = Date.now()
    return this.#certificates.map(({ pem, names, issuer, notAfter }) => ({
      from: pem.from,
      names,
      issuer,
      expires: new Date(notAfter).toISOString(),
      days: Math.floor((notAfter - now) / DAY_MS),
    }))
  }

  close(): void {
    this.#stop()
    this.#site = null
  }

  #stop(): void {
    this.#watch?.close()
    this.#watch = null
    clearInterval(this.#rotation)
    clearInterval(this.#daily)
    clearTimeout(this.#retry)
  }

  #rotate(): void {
    this.#keys = [newTicketKey(), ...this.#keys].slice(0, 1 + OLD_KEYS)
    this.#look()
  }

  /** Something may have changed. `again`: this is the second try. */
  #look(again = false): void {
    clearTimeout(this.#retry)
    if (this.#site === null) return
    let secrets: TlsSecrets
    try {
      secrets = this.load(this.#site)
    } catch (error) {
      if (!again) {
        this.#retry = setTimeout(() => this.#look(true), RETRY_MS).unref()
        return
      }
      const why = error instanceof Error ? error.message : String(error)
      this.#logger.error(`certificates are served as before: ${why}`)
      return
    }
    const before = this.#told
    const certificates = this.#certificates
    this.#note(secrets)
    if (this.#told === before) return
    this.#changed(secrets)
    const known = new Set(certificates.map(({ id }) => id))
    for (const certificate of this.#certificates) {
      const { id, pem, names, notAfter } = certificate
      if (known.has(id)) continue
      const wrong = invalid(certificate, Date.now())
      if (wrong !== null) {
        this.#logger.warn(wrong)
        continue
      }
      const until = new Date(notAfter).toISOString()
      this.#logger.info(`certificate ${pem.from} for ${names.join(', ')} is served, until ${until}`)
    }
  }

  #note(secrets: TlsSecrets): void {
    this.#told = digest(secrets)
    this.#certificates = Object.values(secrets.sets)
      .flat()
      .map((pem) => this.#read(pem))
    const kept = new Set(this.#certificates)
    for (const [key, certificate] of this.#known)
      if (!kept.has(certificate)) this.#known.delete(key)
  }

  /** Reading one costs 1 ms, and there may be thousands of which one has changed. */
  #read(pem: CertificatePem): Certificate {
    const key = digest(pem)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const certificate = readCertificate(pem)
    this.#known.set(key, certificate)
    return certificate
  }

  #warn(): void {
    for (const { level, message } of expiring(this.#certificates, Date.now())) {
      this.#logger[level](message)
    }
  }
}

/** Every file that a change of matters. */
function filesOf({ tls, listeners }: TlsSite): string[] {
  const entries = Object.values(tls?.sets ?? {}).flat()
  return [
    ...entries.flatMap(({ cert, key, ocsp }) => [cert, key, ocsp]),
    ...(tls?.ticketFiles ?? []),
    ...listeners.flatMap(authorityFiles),
  ].filter((path) => path !== '')
}

function authorityFiles({ tls }: ListenerPlan): string[] {
  return tls === undefined || tls.clients === null ? [] : [tls.clients.ca, tls.clients.crl]
}
