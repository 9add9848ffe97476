/**
 * The requests of ACME (RFC 8555 §6): a directory, nonces, signed POSTs. Knows no order: see order.ts.
 *
 * Our own, because the protocol's usual client brings two implementations of X.509, an HTTP client and
 * five packages along for what node:crypto and these few files do.
 */
import type { KeyObject } from 'node:crypto'
import { type Answer, ask } from './ask.ts'
import { publicJwk, signJws } from './jws.ts'
import { AcmeError, readProblem } from './problem.ts'

export interface Directory {
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  /** RFC 9773; absent where the CA has none. */
  readonly renewalInfo?: string
  readonly termsOfService: string
  readonly externalAccountRequired: boolean
}

/** Who signs: a key, and by what name the CA knows it; '' before it does. */
export interface Signer {
  readonly key: KeyObject
  readonly url: string
}

export interface Reply {
  readonly status: number
  /** Of JSON; null for anything else. */
  readonly json: unknown
  readonly text: string
  readonly location: string
  /** When to ask again, ms; 0: it did not say. */
  readonly retryAfterMs: number
}

const ANSWER_MS = 30_000
/** Nonces may be refused at any time; a CA that refuses all of them is broken. */
const MOST_NONCES = 10
const LONGEST_WAIT_MS = 86_400_000

export class AcmeClient {
  readonly #url: string
  readonly #ca: string | undefined
  readonly #signal: AbortSignal
  #directory: Promise<Directory> | null = null
  #nonces: string[] = []

  /** `ca`: certificates that are trusted in place of the system's. */
  constructor(url: string, ca: string | undefined, signal: AbortSignal) {
    this.#url = url
    this.#ca = ca
    this.#signal = signal
  }

  /** The CA's host, for messages. */
  get host(): string {
    return new URL(this.#url).host
  }

  async directory(): Promise<Directory> {
    this.#directory ??= this.#readDirectory()
    // A CA that was away is asked anew.
    this.#directory.catch(() => {
      this.#directory = null
    })
    return this.#directory
  }

  async #readDirectory(): Promise<Directory> {
    const { json } = this.#reply(await this.#ask('GET', this.#url))
    const found = Object(json) as Record<string, unknown>
    const meta = Object(found.meta) as Record<string, unknown>
    const url = (name: string): string => this.#address(found[name], name)
    return {
      newNonce: url('newNonce'),
      newAccount: url('newAccount'),
      newOrder: url('newOrder'),
      ...(found.renewalInfo === undefined ? {} : { renewalInfo: url('renewalInfo') }),
      termsOfService: typeof meta.termsOfService === 'string' ? meta.termsOfService : '',
      externalAccountRequired: meta.externalAccountRequired === true,
    }
  }

  /** What a CA calls an address has to be one, and as safe as its own. */
  #address(value: unknown, name: string): string {
    const url = typeof value === 'string' ? URL.parse(value) : null
    if (url === null || url.protocol !== new URL(this.#url).protocol) {
      throw new Error(`${this.host}: no ${name}: ${this.#url} is no directory of a CA`)
    }
    return url.href
  }

  /** Asks without a signature. */
  async get(url: string): Promise<Reply> {
    return this.#reply(await this.#ask('GET', url))
  }

  /** `payload`: undefined only asks. Rejects with an AcmeError where the CA says no. */
  async post(url: string, signer: Signer, payload?: unknown): Promise<Reply> {
    this.#address(url, 'address')
    const who = signer.url === '' ? { jwk: publicJwk(signer.key) } : { kid: signer.url }
    for (let tries = 1; ; tries++) {
      const nonce = this.#nonces.pop() ?? (await this.#freshNonce())
      const body = JSON.stringify(signJws(signer.key, { ...who, nonce, url }, payload))
      try {
        return this.#reply(await this.#ask('POST', url, body))
      } catch (error) {
        const refused = error instanceof AcmeError && error.problem.type === 'badNonce'
        if (!refused || tries === MOST_NONCES) throw error
      }
    }
  }

  async #freshNonce(): Promise<string> {
    const { newNonce } = await this.directory()
    const { headers } = await this.#ask('HEAD', newNonce)
    this.#nonces = []
    return headers['replay-nonce'] ?? ''
  }

  async #ask(method: 'GET' | 'HEAD' | 'POST', url: string, body?: string): Promise<Answer> {
    const asked = ask(url, {
      method,
      ca: this.#ca,
      timeoutMs: ANSWER_MS,
      signal: this.#signal,
      ...(body === undefined ? {} : { body, headers: { 'Content-Type': 'application/jose+json' } }),
    })
    const answer = await asked.catch((cause: Error) => {
      const remedy = 'this machine has to reach the CA: see tls.acme.server, DNS and the firewall'
      throw new Error(`${cause.message}; ${remedy}`, { cause })
    })
    const nonce = answer.headers['replay-nonce']
    if (nonce !== undefined && method === 'POST') this.#nonces.push(nonce)
    return answer
  }

  #reply({ status, headers, body }: Answer): Reply {
    const text = body.toString()
    const json = /json/.test(headers['content-type'] ?? '') ? parse(text) : null
    const retryAfterMs = retryAfter(headers['retry-after'])
    if (status >= 400) {
      const problem = readProblem(json)
      const said = problem.detail === '' ? `answered ${status}` : problem.detail
      throw new AcmeError(`${this.host}: ${said}`, problem, retryAfterMs)
    }
    const location = headers.location ?? ''
    return { status, json, text, location, retryAfterMs }
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** RFC 9110 §10.2.3: seconds, or a date. At most a day. */
export function retryAfter(value: string | undefined, now: number = Date.now()): number {
  if (value === undefined) return 0
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(0, ms), LONGEST_WAIT_MS)
}
