/** Automatic certificates of a site, over all its generations; what they need is loaded where there are any. */
import type { Agent } from '../acme/agent.ts'
import type { Proof, ProofQuestion } from '../acme/proofs.ts'
import type { CertificateStatus } from '../acme/status.ts'
import type { SitePlan } from '../site/plan.ts'
import type { CertificatePem } from '../tls/certificates.ts'
import type { Logger } from './logger.ts'

export class Automatic {
  readonly #logger: Logger
  readonly #changed: (certificates: readonly CertificatePem[]) => void
  #agent: Agent | null = null

  /** `changed`: from now on these are to be served. */
  constructor(logger: Logger, changed: (certificates: readonly CertificatePem[]) => void) {
    this.#logger = logger
    this.#changed = changed
  }

  /** From now on the names of this plan as well. Never waits for a CA. */
  async prepare({ acme }: SitePlan): Promise<void> {
    if (acme === undefined) return
    if (this.#agent === null) {
      const { Agent } = await import('../acme/agent.ts')
      this.#agent ??= new Agent({ logger: this.#logger, changed: this.#changed })
    }
    await this.#agent.prepare(acme)
  }

  /** What was prepared is not served: this plan is, as before. */
  async abandon(plan: SitePlan): Promise<void> {
    await this.prepare(plan)
    await this.commit(plan)
  }

  /** This plan serves alone. */
  async commit({ acme }: SitePlan): Promise<void> {
    if (acme === undefined) this.#agent?.retire()
    else await this.#agent?.commit(acme)
  }

  /** Never rejects. */
  async proof({ kind, about }: ProofQuestion): Promise<Proof> {
    const agent = this.#agent
    if (agent === null) return null
    const ask = {
      http: () => agent.httpProof(about),
      tls: () => agent.tlsProof(about),
      demand: () => agent.demand(about).then(() => null),
    }[kind]
    return ask().catch(() => null)
  }

  get status(): readonly CertificateStatus[] {
    return this.#agent?.status ?? []
  }

  /** Throws for a name that has none. */
  renew(name: string): void {
    if (this.#agent === null) throw new Error('this site has no automatic certificates')
    this.#agent.renew(name)
  }

  async close(): Promise<void> {
    await this.#agent?.close()
  }
}
