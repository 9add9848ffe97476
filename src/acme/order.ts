/**
 * One certificate from one CA (RFC 8555 §7.4):
 *
 *     order ── authorisation ── challenge answered ── valid ── finalise ── valid ── download
 */
import { createHash } from 'node:crypto'
import type { ChallengeType, KeyType } from '../site/acme-plan.ts'
import { delay } from '../supervisor/timers.ts'
import { isGone } from './account.ts'
import type { AcmeClient, Reply, Signer } from './client.ts'
import { thumbprint } from './jws.ts'
import { AcmeError, explain, readProblem } from './problem.ts'
import { keyPem, newKey, request } from './x509.ts'

/** What has to be shown to the CA. */
export interface Proof {
  readonly type: ChallengeType
  /** As in the certificate, without `*.`. */
  readonly name: string
  readonly token: string
  /** Of http-01: the whole answer. */
  readonly keyAuthorization: string
}

/** Shows a proof; resolves when whoever asks sees it, with how to take it away. */
export type Show = (proof: Proof) => Promise<() => Promise<void>>

export interface OrderOptions {
  readonly client: AcmeClient
  /** The account; `gone`: not this one, which the CA does not know any more; '' for any. */
  readonly account: (gone: string) => Promise<Signer>
  readonly name: string
  readonly keyType: KeyType
  readonly challenge: ChallengeType
  /** The certificate that this one is to follow (RFC 9773 §5); '' for none. */
  readonly replaces: string
  readonly show: Show
  readonly signal: AbortSignal
}

export interface Obtained {
  /** PEM: the certificate first, then those that it needs. */
  readonly chain: string
  /** PEM. */
  readonly key: string
}

/** Longest that a CA may take for one step, ms. */
const STEP_MS = 180_000
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000
/** Of tokens: RFC 8555 §8.3 wants at least 128 bits of base64url. */
const TOKEN = /^[A-Za-z0-9_-]{16,256}$/

interface Authorization {
  readonly status: string
  readonly challenges: readonly Challenge[]
}

interface Challenge {
  readonly type: string
  readonly url: string
  readonly token: string
  readonly status: string
  readonly error?: unknown
}

interface Order {
  readonly status: string
  readonly authorizations: readonly string[]
  readonly finalize: string
  readonly certificate?: string
  readonly error?: unknown
}

/** What goes on, with who signs it. */
type Running = OrderOptions & { readonly signer: Signer }

/** Rejects with a sentence that says what to do. */
export async function order(options: OrderOptions): Promise<Obtained> {
  const { client, name, challenge } = options
  try {
    const { running, made } = await begin(options)
    const { authorizations = [] } = made.json as Order
    for (const url of authorizations) await authorize(running, url)
    return await finalize(running, made.location)
  } catch (error) {
    if (!(error instanceof AcmeError)) throw error
    const sentence = explain(error.problem, { name, ca: client.host, challenge })
    throw new AcmeError(sentence, error.problem, error.retryAfterMs)
  }
}

async function begin(options: OrderOptions): Promise<{ running: Running; made: Reply }> {
  const { client, name, replaces, account } = options
  const { newOrder } = await client.directory()
  const plain = { identifiers: [{ type: 'dns', value: name }] }
  let signer = await account('')
  let asked: object = replaces === '' ? plain : { ...plain, replaces }
  for (let tries = 1; ; tries++) {
    try {
      const made = await client.post(newOrder, signer, asked)
      return { running: { ...options, signer }, made }
    } catch (error) {
      if (tries > 2) throw error
      if (isGone(error)) signer = await account(signer.url)
      // Some CA has forgotten that one, or another machine was first: a plain order does as well.
      else if (asked !== plain && isAboutReplacing(error)) asked = plain
      else throw error
    }
  }
}

function isAboutReplacing(error: unknown): boolean {
  if (!(error instanceof AcmeError)) return false
  const { type, detail } = error.problem
  return type === 'alreadyReplaced' || type === 'malformed' || /replace/i.test(detail)
}

async function authorize(options: Running, url: string): Promise<void> {
  const { client, signer, name, challenge: wanted, show, signal } = options
  const first = (await client.post(url, signer)).json as Authorization
  if (first.status === 'valid') return
  const offered = first.challenges ?? []
  const challenge = offered.find(({ type }) => type === wanted)
  if (challenge === undefined) {
    const types = offered.map(({ type }) => type).join(', ')
    throw new Error(`${client.host} does not offer ${wanted} for ${name}; it offers ${types}`)
  }
  const { token } = challenge
  if (!TOKEN.test(token)) throw new Error(`${client.host}: a token that is none`)
  const keyAuthorization = `${token}.${thumbprint(signer.key)}`
  const plain = name.replace(/^\*\./, '')
  const hide = await show({ type: wanted, name: plain, token, keyAuthorization })
  try {
    await client.post(challenge.url, signer, {})
    const ended = (await settled(options, url, ['pending', 'processing'])) as Authorization
    if (ended.status === 'valid') return
    const told = (ended.challenges ?? []).find(({ type }) => type === wanted)
    throw new AcmeError(`${name} was not authorised`, readProblem(told?.error))
  } finally {
    await hide().catch(() => {})
    signal.throwIfAborted()
  }
}

async function finalize(options: Running, url: string): Promise<Obtained> {
  const { client, signer, name, keyType } = options
  const ready = (await settled(options, url, ['pending'])) as Order
  if (ready.status === 'invalid') {
    throw new AcmeError('the order is invalid', readProblem(ready.error))
  }
  const key = await newKey(keyType)
  const csr = request([name], key).toString('base64url')
  await client.post(ready.finalize, signer, { csr })
  const done = (await settled(options, url, ['pending', 'ready', 'processing'])) as Order
  if (done.status !== 'valid' || done.certificate === undefined) {
    throw new AcmeError('the order failed', readProblem(done.error))
  }
  const { text } = await client.post(done.certificate, signer)
  return { chain: text, key: keyPem(key) }
}

/** Asks until the state is none of `passing`, as often as the CA wants to be asked. */
async function settled(
  { client, signer, signal, name }: Running,
  url: string,
  passing: readonly string[],
): Promise<unknown> {
  const until = performance.now() + STEP_MS
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    const reply: Reply = await client.post(url, signer)
    if (!passing.includes(String(Object(reply.json).status))) return reply.json
    if (performance.now() > until) {
      throw new Error(`${client.host} has not decided about ${name} in ${STEP_MS / 1000} s`)
    }
    await delay(Math.min(Math.max(wait, reply.retryAfterMs), LONGEST_WAIT_MS), signal)
  }
}

/** What a DNS record of dns-01 holds (RFC 8555 §8.4), and a certificate of tls-alpn-01 as bytes. */
export function digestOf({ keyAuthorization }: Pick<Proof, 'keyAuthorization'>): Buffer {
  return createHash('sha256').update(keyAuthorization).digest()
}
