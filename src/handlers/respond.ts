/** A fixed answer: made once, given to any request. */
import { PorticoError } from '../errors.ts'
import {
  type AnswerHead,
  type Exchange,
  HAS_DATE,
  HAS_SERVER,
  type Handler,
} from '../request/exchange.ts'
import type { RespondPlan } from '../site/plan.ts'
import { isFieldValue, isToken } from '../wire/fields.ts'

/** Framing and the connection are the gateway's (RFC 9110 §7.6.1). */
const NOT_OURS = /^(?:content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer)$/i

/** Answers every request, whatever its method, as `plan` says. Throws BAD_FIELD for a header that is none. */
export function respond(plan: RespondPlan): Handler {
  const head = headOf(plan)
  const body = Buffer.from(plan.body)
  return {
    name: 'respond',
    handle(exchange: Exchange): void {
      exchange.respond(head, body)
    },
  }
}

function headOf(plan: RespondPlan): AnswerHead {
  let fields = ''
  let has = 0
  let typed = plan.type === '' || plan.body === ''
  for (const [name, text] of Object.entries(plan.headers)) {
    // Text beyond ASCII goes out as UTF-8.
    const value = Buffer.from(text).toString('latin1')
    if (!isToken(name) || !isFieldValue(value) || NOT_OURS.test(name)) {
      throw new PorticoError('BAD_FIELD', `a fixed answer cannot set ${JSON.stringify(name)}`)
    }
    const lower = name.toLowerCase()
    if (lower === 'content-type') typed = true
    if (lower === 'date') has |= HAS_DATE
    if (lower === 'server') has |= HAS_SERVER
    fields += `${name}: ${value}\r\n`
  }
  if (!typed) fields = `Content-Type: ${plan.type}\r\n${fields}`
  return { status: plan.status, reason: '', fields, has, fixed: true }
}
