/** What CAs come to see: proofs that this machine shows, and those of others that share the store. */

import { createPublicKey } from 'node:crypto'
import type { CertificatePem } from '../tls/certificates.ts'
import { runDnsHook } from './dns-hook.ts'
import { digestOf, type Proof, type Show } from './order.ts'
import { keyOfName, type Store } from './store.ts'
import { issue, keyPem, newKey } from './x509.ts'

/** Longer than any order. */
const SHOWN_MS = 15 * 60_000
/** Strangers may ask for anything: so many of them a second cost the store a look. */
const MOST_LOOKS = 50
const TOKEN = /^[A-Za-z0-9_-]{16,256}$/
const NAME = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/
const HOUR_MS = 3_600_000

export class Challenges {
  readonly #shared: boolean
  /** Key authorizations by their key in the store. */
  readonly #shown = new Map<string, string>()
  #looks = 0
  #second = 0

  /** `shared`: other machines may show what this one is asked for. */
  constructor(shared: boolean) {
    this.#shared = shared
  }

  /** Shows the proofs of one machine: in memory, and in the store for the others. */
  show(store: Store, dnsHook: readonly string[], signal: AbortSignal): Show {
    return async (proof) => {
      if (proof.type === 'dns-01') return showInDns(dnsHook, proof, signal)
      const key = keyOf(proof)
      this.#shown.set(key, proof.keyAuthorization)
      if (this.#shared) await store.write(key, proof.keyAuthorization, SHOWN_MS)
      return async () => {
        this.#shown.delete(key)
        if (this.#shared) await store.write(key, null)
      }
    }
  }

  /** What http-01 is answered with; null: the token is none of ours. */
  async http(token: string, store: Store): Promise<string | null> {
    return TOKEN.test(token) ? this.#find(`challenges/http/${token}`, store) : null
  }

  /** What tls-alpn-01 is answered with (RFC 8737); null: nobody has asked for this name. */
  async tls(name: string, store: Store): Promise<CertificatePem | null> {
    if (!NAME.test(name) || name.length > 253) return null
    const keyAuthorization = await this.#find(`challenges/tls/${keyOfName(name)}`, store)
    return keyAuthorization === null ? null : proofCertificate(name, keyAuthorization)
  }

  async #find(key: string, store: Store): Promise<string | null> {
    const own = this.#shown.get(key)
    if (own !== undefined) return own
    if (!this.#shared || !this.#mayLook()) return null
    return store.read(key).catch(() => null)
  }

  #mayLook(): boolean {
    const second = Math.floor(performance.now() / 1000)
    if (second !== this.#second) this.#looks = 0
    this.#second = second
    return ++this.#looks <= MOST_LOOKS
  }
}

function keyOf({ type, name, token }: Proof): string {
  return type === 'http-01' ? `challenges/http/${token}` : `challenges/tls/${keyOfName(name)}`
}

async function showInDns(
  hook: readonly string[],
  proof: Proof,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const record = `_acme-challenge.${proof.name}`
  const value = digestOf(proof).toString('base64url')
  const about = { name: proof.name, record, value }
  await runDnsHook(hook, 'present', about, signal)
  return () => runDnsHook(hook, 'remove', about, AbortSignal.timeout(SHOWN_MS))
}

async function proofCertificate(name: string, keyAuthorization: string): Promise<CertificatePem> {
  const key = await newKey('p256')
  const now = Date.now()
  const cert = issue(
    {
      names: [name],
      subject: 'ACME challenge',
      publicKey: createPublicKey(key),
      from: new Date(now - HOUR_MS),
      to: new Date(now + HOUR_MS),
      use: 'server',
      proof: digestOf({ keyAuthorization }),
    },
    { name: 'ACME challenge', key },
  )
  return { from: `the challenge for ${name}`, cert, key: keyPem(key) }
}
