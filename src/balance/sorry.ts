/** What visitors get in place of an error page when no server can answer. */
import type { ErrorCode, PorticoError } from '../errors.ts'
import type { AnswerHead } from '../request/exchange.ts'
import type { SorryPlan } from '../site/resilience-plan.ts'

/** Errors that say that nobody was there to ask. */
const NOBODY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NO_BACKEND',
  'BACKEND_REFUSED',
  'BACKEND_UNREACHABLE',
  'BACKEND_TLS',
  'POOL_RESTS',
  'POOL_FULL',
  'POOL_LATE',
])

export class Sorry {
  readonly body: Buffer
  readonly #plan: SorryPlan

  constructor(plan: SorryPlan) {
    this.#plan = plan
    this.body = Buffer.from(plan.body)
  }

  /** Whether that is what it is for. */
  covers({ code }: PorticoError): boolean {
    return NOBODY.has(code)
  }

  head({ retryAfter }: PorticoError): AnswerHead {
    const { status, type } = this.#plan
    const fields = `Content-Type: ${type}\r\nCache-Control: no-store\r\nRetry-After: ${retryAfter}\r\n`
    return { status, reason: '', fields, has: 0 }
  }
}
