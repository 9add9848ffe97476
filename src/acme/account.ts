/** An account at a CA (RFC 8555 §7.3): one for all machines that share a store. */
import { createHash, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { AcmeServerPlan } from './acme-plan.ts'
import type { AcmeClient, Signer } from './client.ts'
import { macJws, publicJwk } from './jws.ts'
import { AcmeError } from './problem.ts'
import type { Store } from './store.ts'
import { keyPem, newKey } from './x509.ts'

interface Kept {
  readonly key: string
  readonly url: string
}

/** Finds the account, or makes one. `known`: false where the one that is kept turned out to be void. */
export async function openAccount(
  client: AcmeClient,
  server: AcmeServerPlan,
  email: string,
  store: Store,
  known = true,
): Promise<Signer> {
  const place = `accounts/${placeOf(server.url)}`
  const kept = known ? readKept(await store.read(place)) : null
  if (kept !== null) return { key: createPrivateKey(kept.key), url: kept.url }
  const directory = await client.directory()
  const key = await newKey('p256')
  const external = server.external
  if (directory.externalAccountRequired && external === null) {
    throw new AcmeError(`${client.host} wants an account`, {
      type: 'externalAccountRequired',
      detail: '',
      parts: [],
    })
  }
  const url = directory.newAccount
  const { location } = await client.post(
    url,
    { key, url: '' },
    {
      termsOfServiceAgreed: true,
      ...(email === '' ? {} : { contact: [`mailto:${email}`] }),
      ...(external === null
        ? {}
        : {
            externalAccountBinding: macJws(
              readFileSync(external.keyFile, 'latin1').trim(),
              { kid: external.keyId, url },
              publicJwk(key),
            ),
          }),
    },
  )
  if (location === '') throw new Error(`${client.host}: an account without an address`)
  await store.write(place, JSON.stringify({ key: keyPem(key), url: location }))
  return { key, url: location }
}

/** Whether a CA says that the account is none (any more): RFC 8555 §7.3.6. */
export function isVoid(error: unknown): boolean {
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
