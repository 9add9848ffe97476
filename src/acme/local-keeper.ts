/** Keeps one certificate of our own authority for all local names of a site. */

import type { AcmePlan } from '../site/acme-plan.ts'
import type { Logger } from '../supervisor/logger.ts'
import type { CertificatePem } from '../tls/certificates.ts'
import { Authority, type Leaf } from './authority.ts'
import { renewalTime } from './due.ts'
import type { CertificateStatus } from './status.ts'

/** After a failure, ms. */
const AGAIN_MS = 60_000
/** Clocks are set. */
const LONGEST_WAIT_MS = 3_600_000

export class LocalKeeper {
  readonly #logger: Logger
  readonly #changed: () => void
  #folder = ''
  #names: readonly string[] = []
  #leaf: Leaf | null = null
  #trouble: CertificateStatus['trouble'] = null
  #timer: NodeJS.Timeout | undefined

  /** `changed`: it was renewed. */
  constructor(logger: Logger, changed: () => void) {
    this.#logger = logger
    this.#changed = changed
  }

  get names(): readonly string[] {
    return this.#names
  }

  /** Null: there are no local names, or the authority is broken. */
  get pem(): CertificatePem | null {
    const leaf = this.#leaf
    return leaf === null ? null : { from: leaf.from, cert: leaf.cert, key: leaf.key }
  }

  get status(): readonly CertificateStatus[] {
    if (this.#names.length === 0) return []
    const leaf = this.#leaf
    return [
      {
        names: this.#names,
        source: 'local',
        issuer: leaf?.issuer ?? '',
        from: leaf?.notBefore ?? 0,
        expires: leaf?.notAfter ?? 0,
        renewal: leaf === null ? 0 : renewalTime(leaf, null, 0),
        store: this.#folder,
        state: leaf === null ? 'missing' : 'kept',
        trouble: this.#trouble,
        failures: this.#trouble === null ? 0 : 1,
      },
    ]
  }

  /** From now on a certificate for these. Never rejects. */
  async use({ authority }: AcmePlan, names: readonly string[]): Promise<void> {
    const wanted = [...new Set(names)]
    const same = wanted.join(' ') === this.#names.join(' ') && authority === this.#folder
    if (same && this.#leaf !== null) return
    this.#folder = authority
    this.#names = wanted
    await this.#issue()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#names = []
    this.#leaf = null
  }

  async #issue(): Promise<void> {
    clearTimeout(this.#timer)
    const names = this.#names
    if (names.length === 0) {
      this.#leaf = null
      return
    }
    try {
      const leaf = await (await Authority.open(this.#folder)).leaf(names)
      if (names !== this.#names) return
      this.#leaf = leaf
      this.#trouble = null
    } catch (error) {
      const message = `our own authority in ${this.#folder} cannot be used: ${(error as Error).message}`
      this.#trouble = { message, at: Date.now() }
      this.#logger.error(`certificates: ${message}; it is tried again every minute`)
    }
    this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    const at = this.#trouble === null ? renewalTime(this.#leaf!, null, 0) : Date.now() + AGAIN_MS
    this.#timer = setTimeout(
      () => {
        if (Date.now() < at) return this.#wait()
        void this.#issue().then(this.#changed)
      },
      Math.max(0, Math.min(at - Date.now(), LONGEST_WAIT_MS)),
    )
    this.#timer.unref()
  }
}
