/**
 * Certificates by the names that visitors ask for: exact, a wildcard of one label, else the default. The
 * set can be replaced while connections live: they keep what they began with.
 */
import type { Certificate } from './read-certificate.ts'

/** A certificate with its key, as it travels from the supervisor to the server. Never logged. */
export interface CertificatePem {
  /** Where it is from, for messages. */
  readonly from: string
  /** The certificate itself first, then those that lead to its authority. */
  readonly cert: string
  readonly key: string
  /** Base64 of an OCSP response in DER, to be stapled; '' for none. */
  readonly ocsp?: string
}

/** What a name is served with: one certificate for each kind of key, so that old and new visitors agree. */
export interface CertificateGroup {
  /** Equal for equal certificates. */
  readonly id: string
  readonly certificates: readonly Certificate[]
}

/** Certificates for the listeners that share them. */
export class Certificates {
  #byName = new Map<string, CertificateGroup>()
  #default: CertificateGroup | null = null
  #ids: ReadonlySet<string> = new Set()
  #version = 0

  /** `now`: in ms since 1970; what has expired gives way to what has not. */
  constructor(certificates: readonly Certificate[] = [], now: number = Date.now()) {
    this.replace(certificates, now)
  }

  /** From now on these. Of several for one name and kind of key, the first that is valid is served. */
  replace(certificates: readonly Certificate[], now: number = Date.now()): void {
    const lists = new Map<string, Certificate[]>()
    const isValid = ({ notBefore, notAfter }: Certificate): boolean =>
      notBefore <= now && now < notAfter
    const sorted = [...certificates.filter(isValid), ...certificates.filter((one) => !isValid(one))]
    for (const certificate of sorted) {
      for (const name of certificate.names) {
        const list = lists.get(name) ?? []
        if (list.some(({ keyType }) => keyType === certificate.keyType)) continue
        list.push(certificate)
        lists.set(name, list)
      }
    }
    this.#byName = new Map([...lists].map(([name, list]) => [name, group(list)]))
    const [first] = certificates
    const [name = ''] = first?.names ?? []
    this.#default = first === undefined ? null : (this.#byName.get(name) ?? group([first]))
    const groups = [...this.#byName.values(), ...(this.#default === null ? [] : [this.#default])]
    this.#ids = new Set(groups.map(({ id }) => id))
    this.#version++
  }

  /** Another one after each `replace`. */
  get version(): number {
    return this.#version
  }

  /** Whether a group with this id is served now. */
  serves(id: string): boolean {
    return this.#ids.has(id)
  }

  /** For visitors who want no name, or one that nobody here has: the first of the list. */
  get default(): CertificateGroup | null {
    return this.#default
  }

  /** Whether one is made out for exactly this name, which may be a wildcard. */
  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** For `name`, in lower case; null: none is made out for it. */
  find(name: string): CertificateGroup | null {
    const exact = this.#byName.get(name)
    if (exact !== undefined) return exact
    // RFC 9525 §6.3: a wildcard stands for exactly one label.
    const dot = name.indexOf('.')
    return dot <= 0 ? null : (this.#byName.get(`*${name.slice(dot)}`) ?? null)
  }
}

function group(certificates: readonly Certificate[]): CertificateGroup {
  return { id: certificates.map(({ id }) => id).join(' '), certificates }
}
