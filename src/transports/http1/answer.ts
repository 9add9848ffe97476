/** An answer's head as a transport needs it: what goes to the visitor, and where its body ends. Pure. */
import { type AnswerHead, HAS_DATE, HAS_SERVER } from '../../request/exchange.ts'
import { type AnswerHeadFacts, parseAnswerHead } from '../../wire/answer-head.ts'
import { fieldValue } from '../../wire/fields.ts'
import { Memo } from '../../wire/memo.ts'
import { eachField, endsHere } from './end-to-end.ts'

/** Fields in one answer; heads are bounded in bytes by who reads them. */
const MOST_FIELDS = 1000
/** Different heads remembered in each thread. */
const MOST_HEADS = 512

export interface ReceivedHead {
  readonly facts: AnswerHeadFacts
  /** End-to-end fields only; for a 101 with its Connection and Upgrade. */
  readonly head: AnswerHead
  /** The protocol of a 101, lower case, else ''. */
  readonly protocol: string
}

const memo = new Memo<ReceivedHead>(MOST_HEADS)

/**
 * Reads a head's text (see `parseAnswerHead`). What is remembered keeps `text` alive: a caller whose
 * text is part of a larger one keeps that small. Throws BACKEND_LIED.
 */
export function readAnswerHead(text: string): ReceivedHead {
  const known = memo.get(text)
  if (known !== undefined) return known
  const facts = parseAnswerHead(text, MOST_FIELDS)
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
  const head: AnswerHead = { status: facts.status, reason: facts.reason, fields, has }
  return memo.put(text, { facts, head, protocol }, () => text)
}
