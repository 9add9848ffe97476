/**
 * A server thread's side of challenges: whoever comes for a proof is answered with what the supervisor
 * knows, which asks the store. A CA comes to any machine, and to any thread.
 */
import { createSecureContext } from 'node:tls'
import type { AnswerHead, Exchange } from '../request/exchange.ts'
import type { CertificatePem } from '../tls/certificates.ts'
import type { Choice } from '../tls/contexts.ts'

/** RFC 8555 §8.3 */
const PATH = '/.well-known/acme-challenge/'
const TOKEN = /^[A-Za-z0-9_-]{16,256}$/
/** Strangers may ask for anything: more than these wait for no answer. */
const MOST_ASKED = 64
const PATIENCE_MS = 5_000
/** No handshake may take longer, whatever its settings say. */
const DEMAND_MS = 60_000

const HEAD: AnswerHead = {
  status: 200,
  reason: '',
  fields: 'Content-Type: application/octet-stream\r\nCache-Control: no-store\r\n',
  has: 0,
}

/** What the supervisor is asked. */
export interface ProofQuestion {
  readonly ask: number
  /** For a token of http-01, or a name of tls-alpn-01; or a name is to have a certificate. */
  readonly kind: 'http' | 'tls' | 'demand'
  readonly about: string
}

/** Null: there is none. */
export type Proof = string | CertificatePem | null

interface Asked {
  /** On `performance.now()`. */
  readonly until: number
  readonly isDemand: boolean
  readonly done: (proof: Proof) => void
}

export class Proofs {
  readonly #ask: (question: ProofQuestion) => void
  readonly #asked = new Map<number, Asked>()
  #last = 0

  /** `ask` has `told` called some time later. */
  constructor(ask: (question: ProofQuestion) => void) {
    this.#ask = ask
  }

  /** Whether it may be a CA that comes. */
  isVisit({ path, method }: Exchange['line']): boolean {
    return path.startsWith(PATH) && (method === 'GET' || method === 'HEAD')
  }

  /**
   * Whether a visit is for us to answer. What turns out to be nobody's proof goes on to `pass`: others may have
   * put theirs there.
   */
  takes(exchange: Exchange, pass: () => void): boolean {
    const token = exchange.line.path.slice(PATH.length)
    if (!TOKEN.test(token)) return false
    return this.#find('http', token, (proof) => {
      if (exchange.gone) return
      if (typeof proof === 'string') exchange.respond(HEAD, Buffer.from(proof))
      else pass()
    })
  }

  /** What who comes with `acme-tls/1` and this name is shown; null: nobody has asked for it. */
  choice(name: string): Promise<Choice | null> {
    return new Promise((resolve, reject) => {
      const asks = this.#find('tls', name, (proof) => {
        if (proof === null || typeof proof === 'string') return resolve(null)
        try {
          const context = createSecureContext({ cert: proof.cert, key: proof.key, ca: [] })
          resolve({ context, ocsp: null })
        } catch (error) {
          reject(error)
        }
      })
      if (!asks) resolve(null)
    })
  }

  /** Resolves when there is a certificate, or when there will be none. */
  demand(name: string): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#find('demand', name, () => resolve())) resolve()
    })
  }

  told(ask: number, proof: Proof): void {
    const asked = this.#asked.get(ask)
    this.#asked.delete(ask)
    asked?.done(proof)
  }

  /** Now and then: nobody waits for ever. */
  check(now: number): void {
    for (const [ask, { until }] of this.#asked) if (now > until) this.told(ask, null)
  }

  #find(kind: ProofQuestion['kind'], about: string, done: (proof: Proof) => void): boolean {
    const isDemand = kind === 'demand'
    const asked = [...this.#asked.values()].filter((one) => one.isDemand === isDemand).length
    if (asked >= MOST_ASKED) return false
    const ask = ++this.#last
    const until = performance.now() + (isDemand ? DEMAND_MS : PATIENCE_MS)
    this.#asked.set(ask, { until, done, isDemand })
    this.#ask({ ask, kind, about })
    return true
  }
}
