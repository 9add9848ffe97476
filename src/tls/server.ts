/** TLS of a server thread: the secrets that the supervisor has sent, and what listeners make of them. */
import type { ListenerPlan } from '../site/plan.ts'
import type { TlsPlan } from '../site/tls-plan.ts'
import { type CertificatePem, Certificates } from './certificates.ts'
import { TlsContexts } from './contexts.ts'
import { type Certificate, readCertificate } from './read-certificate.ts'
import type { TlsSecrets } from './secrets.ts'
import { Tickets } from './tickets.ts'

export class ServerTls {
  readonly #sets = new Map<string, Certificates>()
  readonly #tickets = new Tickets()
  readonly #listeners: { readonly plan: TlsPlan; readonly contexts: TlsContexts }[] = []
  /** What was read for these. */
  #known: ReadonlyMap<string, Certificate> = new Map()
  #secrets: TlsSecrets

  constructor(secrets: TlsSecrets) {
    this.#secrets = secrets
    this.replace(secrets)
  }

  /** From now on these, for every connection to come. */
  replace(secrets: TlsSecrets): void {
    this.#secrets = secrets
    const read = new Map<string, Certificate>()
    for (const [name, pems] of Object.entries(secrets.sets)) {
      this.#set(name).replace(pems.map((pem) => this.#read(pem, read)))
    }
    this.#known = read
    this.#tickets.replace(secrets.tickets)
    for (const { plan, contexts } of this.#listeners) this.#trust(plan, contexts)
  }

  /** Null: that listener speaks no TLS. */
  contexts({ tls: plan }: ListenerPlan): TlsContexts | null {
    if (plan === undefined) return null
    const contexts = new TlsContexts(this.#set(plan.set), plan, this.#tickets)
    this.#trust(plan, contexts)
    this.#listeners.push({ plan, contexts })
    return contexts
  }

  /** Reading costs 1 ms: of a thousand, that one was renewed must not hold up visitors for a second. */
  #read(pem: CertificatePem, read: Map<string, Certificate>): Certificate {
    const key = JSON.stringify(pem)
    const certificate = this.#known.get(key) ?? readCertificate(pem)
    read.set(key, certificate)
    return certificate
  }

  #set(name: string): Certificates {
    let set = this.#sets.get(name)
    if (set === undefined) {
      set = new Certificates()
      this.#sets.set(name, set)
    }
    return set
  }

  #trust({ clients }: TlsPlan, contexts: TlsContexts): void {
    if (clients === null) return
    const { authorities } = this.#secrets
    contexts.trust(authorities[clients.ca] ?? '', authorities[clients.crl] ?? '')
  }
}
