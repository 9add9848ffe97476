/** An account at a CA (RFC 8555 §7.3): one for all machines that share a store. */
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { AcmeServerPlan, ExternalPlan } from '../site/acme-plan.ts'
import { delay } from '../supervisor/timers.ts'
import type { AcmeClient, Signer } from './client.ts'
import { type Jws, macJws, publicJwk } from './jws.ts'
import { AcmeError } from './problem.ts'
import type { Store } from './store.ts'
import { keyPem, newKey } from './x509.ts'

interface Kept {
  readonly key: string
  readonly url: string
}

/** While another machine makes it, ms. */
const POLL_MS = 500
const LONGEST_MS = 60_000

export interface AccountOptions {
  readonly client: AcmeClient
  readonly server: AcmeServerPlan
  readonly email: string
  readonly store: Store
  readonly signal: AbortSignal
}

/** Finds the account, or makes one. `gone`: the address of one that the CA does not know any more; '' for none. */
export async function openAccount(options: AccountOptions, gone: string): Promise<Signer> {
  const { client, server, store, signal } = options
  const place = `accounts/${placeOf(server.url)}`
  const until = performance.now() + LONGEST_MS
  while (performance.now() < until) {
    const kept = readKept(await store.read(place))
    if (kept !== null && kept.url !== gone) {
      return { key: createPrivateKey(kept.key), url: kept.url }
    }
    const lease = await store.lock(place)
    if (lease === null) {
      await delay(POLL_MS, signal)
      continue
    }
    try {
      // Somebody may have been quicker than our lock.
      const now = readKept(await store.read(place))
      if (now !== null && now.url !== gone) continue
      const made = await makeAccount(options)
      await store.write(place, JSON.stringify({ key: keyPem(made.key), url: made.url }))
      return made
    } finally {
      await lease.release()
    }
  }
  throw new Error(`${client.host}: another machine has been making the account for over a minute`)
}

async function makeAccount({ client, server, email }: AccountOptions): Promise<Signer> {
  const { newAccount: url, externalAccountRequired } = await client.directory()
  const { external } = server
  if (externalAccountRequired && external === null) {
    const problem = { type: 'externalAccountRequired', detail: '', parts: [] }
    throw new AcmeError(`${client.host} wants an account`, problem)
  }
  const key = await newKey('p256')
  const wanted = {
    termsOfServiceAgreed: true,
    ...(email === '' ? {} : { contact: [`mailto:${email}`] }),
    ...(external === null ? {} : { externalAccountBinding: bind(external, url, key) }),
  }
  const { location } = await client.post(url, { key, url: '' }, wanted)
  if (location === '') throw new Error(`${client.host}: an account without an address`)
  return { key, url: location }
}

/** RFC 8555 §7.3.4: whoever has this key also has the account that the CA has given out. */
function bind(external: ExternalPlan, url: string, key: KeyObject): Jws {
  const secret = readFileSync(external.keyFile, 'latin1').trim()
  return macJws(secret, { kid: external.keyId, url }, publicJwk(key))
}

/** Whether a CA says that the account is none (any more): RFC 8555 §7.3.6. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof AcmeError)) return false
  const { type, detail } = error.problem
  return type === 'accountDoesNotExist' || (type === 'unauthorized' && /account/i.test(detail))
}

/** A directory's address as a key of a store: readable, and different for different ones. */
function placeOf(url: string): string {
  const digest = createHash('sha256').update(url).digest('hex').slice(0, 8)
  return `${new URL(url).hostname.replace(/[^a-z0-9.-]/g, '_')}-${digest}`
}

function readKept(text: string | null): Kept | null {
  if (text === null) return null
  try {
    const { key, url } = JSON.parse(text) as Partial<Kept>
    return typeof key === 'string' && typeof url === 'string' ? { key, url } : null
  } catch {
    return null
  }
}
