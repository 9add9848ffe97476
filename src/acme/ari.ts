/** What a CA suggests about the renewal of a certificate: RFC 9773. */
import type { AcmeClient } from './client.ts'
import type { Window } from './due.ts'

export interface Suggestion {
  /** Null: the CA suggests nothing. */
  readonly window: Window | null
  /** When to ask again, ms. */
  readonly againMs: number
}

/** RFC 9773 §4.3.3 wants a bound to what a CA says. */
const SOONEST_MS = 60_000
const USUAL_MS = 6 * 3_600_000

/** Never rejects: without an answer the certificate is renewed as usual. */
export async function suggestion(client: AcmeClient, id: string): Promise<Suggestion> {
  const nothing: Suggestion = { window: null, againMs: USUAL_MS }
  if (id === '') return nothing
  try {
    const { renewalInfo } = await client.directory()
    if (renewalInfo === undefined) return nothing
    const { json, retryAfterMs } = await client.get(`${renewalInfo.replace(/\/$/, '')}/${id}`)
    const { start, end } = Object(Object(json).suggestedWindow) as Record<string, unknown>
    const window = { start: Date.parse(String(start)), end: Date.parse(String(end)) }
    const againMs = retryAfterMs === 0 ? USUAL_MS : Math.max(SOONEST_MS, retryAfterMs)
    return window.start <= window.end ? { window, againMs } : { window: null, againMs }
  } catch {
    return nothing
  }
}
