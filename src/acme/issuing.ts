/**
 * One attempt at a certificate: the CAs one after the other, and at each the kinds of challenges. Whoever
 * calls holds the lock.
 */

import type { AcmePlan, AcmeServerPlan, ChallengeType } from '../site/acme-plan.ts'
import { type AccountOptions, openAccount } from './account.ts'
import { AcmeClient } from './client.ts'
import { type Obtained, order, type Show } from './order.ts'
import { AcmeError } from './problem.ts'
import type { Store } from './store.ts'

export interface Attempted extends Obtained {
  /** Of the CA's directory. */
  readonly server: string
}

export interface AttemptOptions {
  readonly plan: AcmePlan
  readonly name: string
  readonly store: Store
  readonly show: Show
  /** Attempts that failed before this one, in a row. */
  readonly failures: number
  /** The certificate that is to be replaced, by its CA's directory and id; both '' for none. */
  readonly before: { readonly server: string; readonly id: string }
  readonly signal: AbortSignal
}

/** No CA has given a certificate. */
export class AttemptError extends Error {
  /** Not to be tried again before, ms; 0: nobody has said. */
  readonly retryAfterMs: number

  constructor(message: string, retryAfterMs: number) {
    super(message)
    this.retryAfterMs = retryAfterMs
  }
}

/** The visitor's way was wrong: another kind of challenge may find another. */
const ABOUT_THE_WAY = ['connection', 'dns', 'incorrectResponse', 'tls', 'unauthorized']

/** The CAs of one site, each with its nonces. */
export class Issuing {
  readonly #signal: AbortSignal
  readonly #clients = new Map<string, AcmeClient>()
  /** When a CA may be asked again for a name, by both; ms since 1970. */
  readonly #notBefore = new Map<string, number>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  /** `trust`: PEM; undefined for the system's. */
  client(url: string, trust: string | undefined): AcmeClient {
    const key = `${url} ${trust ?? ''}`
    const known = this.#clients.get(key)
    if (known !== undefined) return known
    const client = new AcmeClient(url, trust, this.#signal)
    this.#clients.set(key, client)
    return client
  }

  /** Rejects with an AttemptError that tells what each CA has said. */
  async attempt(options: AttemptOptions, trust: string | undefined): Promise<Attempted> {
    const { plan, name, signal } = options
    const said: string[] = []
    let soonest = Number.POSITIVE_INFINITY
    for (const server of plan.servers) {
      const waits = (this.#notBefore.get(`${server.url} ${name}`) ?? 0) - Date.now()
      if (waits > 0) {
        soonest = Math.min(soonest, waits)
        said.push(`${new URL(server.url).host} does not want to be asked again so soon`)
        continue
      }
      for (const challenge of this.#challenges(options)) {
        signal.throwIfAborted()
        try {
          const got = await this.#order(options, server, challenge, trust)
          return { ...got, server: server.url }
        } catch (error) {
          signal.throwIfAborted()
          said.push((error as Error).message)
          const refused = error instanceof AcmeError ? error : null
          const { retryAfterMs = 0 } = refused ?? {}
          soonest = Math.min(soonest, retryAfterMs)
          this.#notBefore.set(`${server.url} ${name}`, Date.now() + retryAfterMs)
          if (refused === null || !ABOUT_THE_WAY.includes(refused.problem.type)) break
        }
      }
    }
    throw new AttemptError([...new Set(said)].join(' | '), soonest)
  }

  /** At first all of them; later one each time, or a CA would count each as a failure. */
  #challenges({ plan, name, failures }: AttemptOptions): readonly ChallengeType[] {
    const possible = name.startsWith('*.')
      ? plan.challenges.filter((type) => type === 'dns-01')
      : plan.challenges
    return failures === 0 ? possible : [possible[failures % possible.length]!]
  }

  #order(
    { plan, name, store, show, before, signal }: AttemptOptions,
    server: AcmeServerPlan,
    challenge: ChallengeType,
    trust: string | undefined,
  ): Promise<Obtained> {
    const client = this.client(server.url, trust)
    const { email, keyType } = plan
    const account: AccountOptions = { client, server, email, store, signal }
    return order({
      client,
      account: (gone) => openAccount(account, gone),
      name,
      keyType,
      challenge,
      replaces: before.server === server.url ? before.id : '',
      show,
      signal,
    })
  }
}
