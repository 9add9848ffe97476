/** Who comes without TLS is sent to where there is, and told to come back no other way (RFC 6797). */
import { edits } from '../filters/edits.ts'
import type { HstsPlan } from '../site/tls-plan.ts'
import type { AnswerHead, EditHead, Exchange } from './exchange.ts'

const EMPTY = Buffer.alloc(0)
const HTTPS_PORT = 443
const NAME = /^strict-transport-security:/im

export class HttpsOnly {
  /** '' for none. */
  readonly #port: string
  readonly #redirects: boolean
  readonly #promise: EditHead | null

  /** `port`: where visitors are sent; 0: nowhere. `hsts`: null: nothing is promised. */
  constructor(port: number, hsts: HstsPlan | null) {
    this.#redirects = port > 0
    this.#port = port === HTTPS_PORT ? '' : `:${port}`
    this.#promise = hsts === null ? null : promise(hsts)
  }

  /** True: the request was answered. `plainly`: this route answers without TLS, too. */
  takes(exchange: Exchange, plainly: boolean): boolean {
    if (exchange.peer.scheme === 'https') {
      if (this.#promise !== null) edits(exchange, this.#promise)
      return false
    }
    if (!this.#redirects || plainly) return false
    const { line, fields } = exchange
    const host = line.host || fields.host
    // HTTP/1.0 need not say whom it wants.
    if (host === '') return false
    // The others mean what they say, so their method has to stay (RFC 9110 §15.4.9).
    const status = line.method === 'GET' || line.method === 'HEAD' ? 301 : 308
    const path = line.origin.replace(/[^\x21-\x7e]/g, escapeByte)
    const location = `https://${host}${this.#port}${path}`
    exchange.respond({ status, reason: '', fields: `Location: ${location}\r\n`, has: 0 }, EMPTY)
    return true
  }
}

/** What a program has said itself stands. */
function promise(plan: HstsPlan): EditHead {
  const parts = [`max-age=${plan.maxAgeSeconds}`]
  if (plan.includeSubdomains) parts.push('includeSubDomains')
  if (plan.preload) parts.push('preload')
  const line = `Strict-Transport-Security: ${parts.join('; ')}\r\n`
  const known = new WeakMap<AnswerHead, AnswerHead>()
  return (head) => {
    let edited = known.get(head)
    if (edited === undefined) {
      edited = NAME.test(head.fields) ? head : { ...head, fields: head.fields + line }
      known.set(head, edited)
    }
    return edited
  }
}

function escapeByte(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
