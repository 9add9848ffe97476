/** OpenSSL's contexts for one listener: made when a visitor first wants a certificate, and kept. */
import { constants, createHash } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { TlsPlan } from '../site/tls-plan.ts'
import type { CertificateGroup, Certificates } from './certificates.ts'
import type { Tickets } from './tickets.ts'

/** A context costs some 50 KB: of a machine with very many names, only these are ready. */
const MOST_KEPT = 1024

export interface Choice {
  readonly context: SecureContext
  /** To be stapled, DER. */
  readonly ocsp: Buffer | null
}

export class TlsContexts {
  readonly #certificates: Certificates
  readonly #plan: TlsPlan
  readonly #tickets: Tickets
  readonly #made = new Map<string, Choice>()
  /** Of the certificates that these were made of. */
  #version = 0
  /** PEM of authorities and of what they revoked, '' for none. */
  #authorities: { readonly ca: string; readonly crl: string } = { ca: '', crl: '' }

  constructor(certificates: Certificates, plan: TlsPlan, tickets: Tickets) {
    this.#certificates = certificates
    this.#plan = plan
    this.#tickets = tickets
  }

  /** Of visitors' certificates. Connections that live keep those that they began with. */
  trust(ca: string, crl: string): void {
    if (this.#authorities.ca === ca && this.#authorities.crl === crl) return
    this.#authorities = { ca, crl }
    this.#made.clear()
  }

  /** Whether a certificate is made out for it. */
  knows(serverName: string): boolean {
    return this.#certificates.find(serverName) !== null
  }

  /** For a visitor that wants `serverName`, '' for none; null: it is refused. Throws what OpenSSL says. */
  choose(serverName: string): Choice | null {
    if (this.#version !== this.#certificates.version) this.#forget()
    const known = serverName === '' ? null : this.#certificates.find(serverName)
    const group = known ?? (this.#plan.strictNames ? null : this.#certificates.default)
    return group === null ? null : this.#of(group)
  }

  /** Of certificates that were replaced nothing is kept. */
  #forget(): void {
    this.#version = this.#certificates.version
    for (const id of this.#made.keys()) if (!this.#certificates.serves(id)) this.#made.delete(id)
  }

  #of(group: CertificateGroup): Choice {
    const known = this.#made.get(group.id)
    if (known !== undefined) return known
    const context = this.#make(group)
    const ocsp = group.certificates.find(({ pem }) => pem.ocsp !== undefined)?.pem.ocsp
    const choice = { context, ocsp: ocsp === undefined ? null : Buffer.from(ocsp, 'base64') }
    if (this.#made.size >= MOST_KEPT) {
      const [oldest] = this.#made.keys()
      this.#made.delete(oldest!)
    }
    this.#made.set(group.id, choice)
    return choice
  }

  #make({ certificates }: CertificateGroup): SecureContext {
    const plan = this.#plan
    const { ca, crl } = this.#authorities
    const context = createSecureContext({
      cert: certificates.map(({ pem }) => pem.cert),
      key: certificates.map(({ pem }) => pem.key),
      // None would be the machine's, whose reading takes tens of milliseconds.
      ca: ca === '' ? [] : ca,
      ...(crl === '' ? {} : { crl }),
      minVersion: plan.minVersion,
      maxVersion: plan.maxVersion,
      ciphers: isOld(plan) ? `${plan.ciphers}:@SECLEVEL=0` : plan.ciphers,
      ecdhCurve: plan.groups,
      ...(plan.signatures === '' ? {} : { sigalgs: plan.signatures }),
      honorCipherOrder: plan.preferServerCiphers,
      secureOptions: optionsOf(plan),
      sessionIdContext: sessionContext(plan, ca, crl),
      ...(plan.sessionSeconds > 0 ? { sessionTimeout: plan.sessionSeconds } : {}),
    })
    if (plan.sessionSeconds > 0) this.#tickets.serve(context)
    return context
  }
}

function isOld({ minVersion }: TlsPlan): boolean {
  return minVersion === 'TLSv1' || minVersion === 'TLSv1.1'
}

function optionsOf({ sessionSeconds }: TlsPlan): number {
  const { SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET, SSL_OP_NO_COMPRESSION } = constants
  const always = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
  return sessionSeconds > 0 ? always : always | SSL_OP_NO_TICKET
}

/**
 * A session is resumed only where visitors are asked for the same: else one of a listener that asks for
 * no certificate would be a way around one that does (CVE-2025-23419).
 */
function sessionContext({ clients }: TlsPlan, ca: string, crl: string): string {
  const asked = clients === null ? '' : JSON.stringify([clients.mode, clients.depth, ca, crl])
  return createHash('sha256').update(asked).digest('hex').slice(0, 32)
}
