/** Has a pool of backends answer: the reverse proxy. */
import type { Pool } from '../balance/pool.ts'
import { PorticoError } from '../errors.ts'
import type { AnswerHead, Exchange, Handler } from '../request/exchange.ts'
import { fieldValue } from '../wire/fields.ts'

const NOTHING = new Uint8Array(0)
const OPTIONS_HERE: AnswerHead = { status: 200, reason: '', fields: 'Allow: OPTIONS\r\n', has: 0 }

export function proxy(pool: Pool): Handler {
  return {
    name: `proxy ${pool.name}`,
    handle(exchange) {
      const { method } = exchange.line
      if (method === 'OPTIONS' && endsHere(exchange)) exchange.respond(OPTIONS_HERE, NOTHING)
      // It would show the visitor what we add for the backend only (RFC 9110 §9.3.8).
      else if (method === 'TRACE') exchange.fail(new PorticoError('METHOD_NOT_ALLOWED', 'TRACE'))
      else pool.serve(exchange)
    },
    close: () => pool.close(),
  }
}

/** RFC 9110 §7.6.2: a request that may not be forwarded any more is for us. */
function endsHere(exchange: Exchange): boolean {
  return /^0+$/.test(fieldValue(exchange.fields, 'max-forwards') ?? '')
}
