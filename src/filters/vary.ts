/** The Vary field (RFC 9110 §12.5.5). Pure. */
import type { AnswerHead } from '../request/exchange.ts'
import { listMembers } from '../wire/fields.ts'

const VARY = /^vary:[ \t]*(.*)\r\n/gim

/** `head`, which differs by the field `name` of requests. Said once. */
export function vary(head: AnswerHead, name: string): AnswerHead {
  const lower = name.toLowerCase()
  for (const [, value = ''] of head.fields.matchAll(VARY)) {
    const members = listMembers(value)
    if (members.includes('*') || members.includes(lower)) return head
  }
  return { ...head, fields: `${head.fields}Vary: ${name}\r\n` }
}
