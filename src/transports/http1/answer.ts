/** An answer's head as a transport needs it: what goes to the visitor, and where its body ends. Pure. */
import { type AnswerHead, HAS_DATE, HAS_SERVER } from '../../request/exchange.ts'
import { withoutOrders } from '../../request/orders.ts'
import { type AnswerHeadFacts, parseAnswerHead } from '../../wire/answer-head.ts'
import { fieldValue } from '../../wire/fields.ts'
import { Memo } from '../../wire/memo.ts'
import { MOST_FIELDS, MOST_HEADS, type ReceivedHead } from '../backend/answer.ts'
import { eachField, endsHere } from '../backend/end-to-end.ts'

export interface HttpHead extends ReceivedHead {
  readonly facts: AnswerHeadFacts
}

const memo = new Memo<HttpHead>(MOST_HEADS)

/**
 * Reads a head's text with its empty line (see `parseAnswerHead`). What is remembered keeps `text` alive: a caller whose
 * text is part of a larger one keeps that small. Throws BACKEND_LIED.
 */
export function readAnswerHead(text: string): HttpHead {
  const known = memo.get(text)
  if (known !== undefined) return known
  const facts = parseAnswerHead(text.slice(0, -2), MOST_FIELDS)
  let fields = ''
  let has = 0
  eachField(facts, (written, name, value) => {
    if (endsHere(name, facts.connection)) return
    if (name === 'date') has |= HAS_DATE
    else if (name === 'server') has |= HAS_SERVER
    else if (name === 'trailer' && !facts.chunked) return
    fields += `${written}: ${value}\r\n`
  })
  let protocol = ''
  if (facts.status === 101) {
    const upgrade = fieldValue(facts, 'upgrade') ?? ''
    protocol = upgrade.toLowerCase()
    fields += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`
  }
  const { status, reason } = facts
  const head: AnswerHead = { status, reason, has, ...withoutOrders(fields) }
  const { contentLength } = facts
  return memo.put(text, { facts, head, contentLength, protocol }, () => text)
}
